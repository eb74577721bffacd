// Objects of OpenSSL's, each with the function that frees it. Not for users.
#ifndef TERN_CLIENT_TLS_OWNED_H_
#define TERN_CLIENT_TLS_OWNED_H_

#include <memory>

namespace tern::tls {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;

}  // namespace tern::tls

#endif  // TERN_CLIENT_TLS_OWNED_H_
