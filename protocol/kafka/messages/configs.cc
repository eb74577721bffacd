#include "protocol/kafka/messages/configs.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<DescribeConfigsRequest>;
template struct MessageCodec<DescribeConfigsResponse>;

}  // namespace tern::kafka
