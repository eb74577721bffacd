#include "protocol/kafka/messages/group_membership.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<JoinGroupRequest>;
template struct MessageCodec<JoinGroupResponse>;
template struct MessageCodec<HeartbeatRequest>;
template struct MessageCodec<HeartbeatResponse>;
template struct MessageCodec<LeaveGroupRequest>;
template struct MessageCodec<LeaveGroupResponse>;
template struct MessageCodec<SyncGroupRequest>;
template struct MessageCodec<SyncGroupResponse>;

}  // namespace tern::kafka
