#include "protocol/kafka/messages/metadata.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<MetadataRequest>;
template struct MessageCodec<MetadataResponse>;

}  // namespace tern::kafka
