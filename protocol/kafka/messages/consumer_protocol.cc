#include "protocol/kafka/messages/consumer_protocol.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<ConsumerProtocolSubscription>;
template struct MessageCodec<ConsumerProtocolAssignment>;

}  // namespace tern::kafka
