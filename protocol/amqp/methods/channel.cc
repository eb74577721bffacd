#include "protocol/amqp/methods/channel.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {

template struct MethodCodec<ChannelOpen>;
template struct MethodCodec<ChannelOpenOk>;
template struct MethodCodec<ChannelFlow>;
template struct MethodCodec<ChannelFlowOk>;
template struct MethodCodec<ChannelClose>;
template struct MethodCodec<ChannelCloseOk>;
template struct MethodCodec<AccessRequest>;
template struct MethodCodec<AccessRequestOk>;

}  // namespace tern::amqp
