#include "protocol/amqp/methods/basic.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {

template struct MethodCodec<BasicQos>;
template struct MethodCodec<BasicQosOk>;
template struct MethodCodec<BasicConsume>;
template struct MethodCodec<BasicConsumeOk>;
template struct MethodCodec<BasicCancel>;
template struct MethodCodec<BasicCancelOk>;
template struct MethodCodec<BasicPublish>;
template struct MethodCodec<BasicReturn>;
template struct MethodCodec<BasicDeliver>;
template struct MethodCodec<BasicGet>;
template struct MethodCodec<BasicGetOk>;
template struct MethodCodec<BasicGetEmpty>;
template struct MethodCodec<BasicAck>;
template struct MethodCodec<BasicReject>;
template struct MethodCodec<BasicRecoverAsync>;
template struct MethodCodec<BasicRecover>;
template struct MethodCodec<BasicRecoverOk>;
template struct MethodCodec<BasicNack>;

}  // namespace tern::amqp
