#include "protocol/amqp/methods/queue.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {

template struct MethodCodec<QueueDeclare>;
template struct MethodCodec<QueueDeclareOk>;
template struct MethodCodec<QueueBind>;
template struct MethodCodec<QueueBindOk>;
template struct MethodCodec<QueuePurge>;
template struct MethodCodec<QueuePurgeOk>;
template struct MethodCodec<QueueDelete>;
template struct MethodCodec<QueueDeleteOk>;
template struct MethodCodec<QueueUnbind>;
template struct MethodCodec<QueueUnbindOk>;

}  // namespace tern::amqp
