#include "protocol/kafka/messages/consumer_group_heartbeat.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<ConsumerGroupHeartbeatRequest>;
template struct MessageCodec<ConsumerGroupHeartbeatResponse>;

}  // namespace tern::kafka
