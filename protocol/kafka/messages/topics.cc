#include "protocol/kafka/messages/topics.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<CreateTopicsRequest>;
template struct MessageCodec<CreateTopicsResponse>;
template struct MessageCodec<DeleteTopicsRequest>;
template struct MessageCodec<DeleteTopicsResponse>;
template struct MessageCodec<CreatePartitionsRequest>;
template struct MessageCodec<CreatePartitionsResponse>;

}  // namespace tern::kafka
