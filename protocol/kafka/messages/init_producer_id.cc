#include "protocol/kafka/messages/init_producer_id.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<InitProducerIdRequest>;
template struct MessageCodec<InitProducerIdResponse>;

}  // namespace tern::kafka
