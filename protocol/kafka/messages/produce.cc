#include "protocol/kafka/messages/produce.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<ProduceRequest>;
template struct MessageCodec<ProduceResponse>;

}  // namespace tern::kafka
