#include "protocol/kafka/messages/offset_for_leader_epoch.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<OffsetForLeaderEpochRequest>;
template struct MessageCodec<OffsetForLeaderEpochResponse>;

}  // namespace tern::kafka
