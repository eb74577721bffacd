#include "protocol/amqp/methods/connection.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {

template struct MethodCodec<ConnectionStart>;
template struct MethodCodec<ConnectionStartOk>;
template struct MethodCodec<ConnectionSecure>;
template struct MethodCodec<ConnectionSecureOk>;
template struct MethodCodec<ConnectionTune>;
template struct MethodCodec<ConnectionTuneOk>;
template struct MethodCodec<ConnectionOpen>;
template struct MethodCodec<ConnectionOpenOk>;
template struct MethodCodec<ConnectionClose>;
template struct MethodCodec<ConnectionCloseOk>;
template struct MethodCodec<ConnectionBlocked>;
template struct MethodCodec<ConnectionUnblocked>;
template struct MethodCodec<ConnectionUpdateSecret>;
template struct MethodCodec<ConnectionUpdateSecretOk>;

}  // namespace tern::amqp
