#include "protocol/kafka/messages/group_offsets.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<OffsetCommitRequest>;
template struct MessageCodec<OffsetCommitResponse>;
template struct MessageCodec<OffsetFetchRequest>;
template struct MessageCodec<OffsetFetchResponse>;
template struct MessageCodec<OffsetDeleteRequest>;
template struct MessageCodec<OffsetDeleteResponse>;

}  // namespace tern::kafka
