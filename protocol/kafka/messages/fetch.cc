#include "protocol/kafka/messages/fetch.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<FetchRequest>;
template struct MessageCodec<FetchResponse>;

}  // namespace tern::kafka
