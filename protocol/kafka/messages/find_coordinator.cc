#include "protocol/kafka/messages/find_coordinator.h"

#include "protocol/kafka/codec_impl.h"

namespace tern::kafka {

template struct MessageCodec<FindCoordinatorRequest>;
template struct MessageCodec<FindCoordinatorResponse>;

}  // namespace tern::kafka
