#include "protocol/kafka/messages/group_admin.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<DescribeGroupsRequest>;
template struct MessageCodec<DescribeGroupsResponse>;
template struct MessageCodec<ListGroupsRequest>;
template struct MessageCodec<ListGroupsResponse>;
template struct MessageCodec<DeleteGroupsRequest>;
template struct MessageCodec<DeleteGroupsResponse>;
template struct MessageCodec<ConsumerGroupDescribeRequest>;
template struct MessageCodec<ConsumerGroupDescribeResponse>;

}  // namespace tern::kafka
