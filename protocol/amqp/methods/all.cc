#include "protocol/amqp/methods/all.h"

#include <algorithm>

namespace tern::amqp {
namespace {

template <class List>
struct RepliesOf;
template <class... Ms>
struct RepliesOf<wire::TypeList<Ms...>> {
  static constexpr void fill(MethodInfo& info) {
    static_assert(sizeof...(Ms) <= std::tuple_size_v<decltype(info.replies)>);
    ((info.replies[info.reply_count++] = Ms::method.id), ...);
  }
};

template <class M>
constexpr MethodInfo info_of() {
  MethodInfo info{.method = M::method};
  if constexpr (is_synchronous<M>) RepliesOf<typename M::Replies>::fill(info);
  info.has_no_wait = requires(M m) { m.no_wait; };
  return info;
}

template <class List>
struct MethodTable;
template <class... Ms>
struct MethodTable<wire::TypeList<Ms...>> {
  static constexpr std::array<MethodInfo, sizeof...(Ms)> methods{info_of<Ms>()...};
};
constexpr const auto& kMethods = MethodTable<AllMethods>::methods;

constexpr bool ascending() {
  for (std::size_t i = 1; i < kMethods.size(); ++i) {
    if (kMethods[i].method.id <= kMethods[i - 1].method.id) return false;
  }
  return true;
}
static_assert(ascending(), "the list of methods is in order of class and number");

}  // namespace

std::span<const MethodInfo> all_methods() { return kMethods; }

const MethodInfo* find_method(MethodId id) {
  const auto it = std::lower_bound(
      kMethods.begin(), kMethods.end(), id,
      [](const MethodInfo& info, MethodId wanted) { return info.method.id < wanted; });
  return it != kMethods.end() && it->method.id == id ? &*it : nullptr;
}

namespace internal {

const MethodInfo* begin_method(wire::Reader& reader, PayloadError& error) {
  const MethodId id{reader.u16("class"), reader.u16("method")};
  if (!reader.ok()) {
    error.what = reader.error();
    error.reply = ReplyErrc::frame_error;
    return nullptr;
  }
  const MethodInfo* const info = find_method(id);
  if (info == nullptr) {
    error = {.what = {wire::Errc::unknown_type, "method", 0},
             .id = id,
             .reply = ReplyErrc::command_invalid};
  }
  return info;
}

PayloadError field_error(const Method& method, const wire::Reader& reader) {
  return {.what = reader.error(),
          .id = method.id,
          .name = method.name,
          .reply = ReplyErrc::syntax_error};
}

}  // namespace internal

std::string print_method(Bytes payload, const DecodeLimits& limits) {
  std::string out;
  const auto error = dispatch(payload, limits, [&](const auto& message) { out = print(message); });
  return error ? error->message() : out;
}

}  // namespace tern::amqp
