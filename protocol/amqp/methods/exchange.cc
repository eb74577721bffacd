#include "protocol/amqp/methods/exchange.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {

template struct MethodCodec<ExchangeDeclare>;
template struct MethodCodec<ExchangeDeclareOk>;
template struct MethodCodec<ExchangeDelete>;
template struct MethodCodec<ExchangeDeleteOk>;
template struct MethodCodec<ExchangeBind>;
template struct MethodCodec<ExchangeBindOk>;
template struct MethodCodec<ExchangeUnbind>;
template struct MethodCodec<ExchangeUnbindOk>;

}  // namespace tern::amqp
