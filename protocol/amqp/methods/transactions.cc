#include "protocol/amqp/methods/transactions.h"

#include "protocol/amqp/codec_impl.h"

namespace tern::amqp {

template struct MethodCodec<ConfirmSelect>;
template struct MethodCodec<ConfirmSelectOk>;
template struct MethodCodec<TxSelect>;
template struct MethodCodec<TxSelectOk>;
template struct MethodCodec<TxCommit>;
template struct MethodCodec<TxCommitOk>;
template struct MethodCodec<TxRollback>;
template struct MethodCodec<TxRollbackOk>;

}  // namespace tern::amqp
