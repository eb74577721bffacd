// Completion: a handler to be called once, without its type.
//
// Move-only. A callable of up to 48 bytes lives inside; a larger one takes one allocation, from the
// allocator given with it. Knows nothing of Asio: client/net/async.h turns completion tokens into
// these. Calling one empties it first, so the handler may start the next operation, and its memory
// is free by then. A Completion that is destroyed without being called just destroys its callable.
#ifndef TERN_CLIENT_CORE_COMPLETION_H_
#define TERN_CLIENT_CORE_COMPLETION_H_

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace tern {

template <class... Args>
class Completion {
 public:
  static constexpr std::size_t kInlineBytes = 48;

  Completion() = default;

  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Completion> &&
             std::is_invocable_v<std::remove_cvref_t<F> &&, Args...>)
  Completion(F&& f) : Completion(std::forward<F>(f), std::allocator<std::byte>()) {}

  template <class F, class Allocator>
    requires(std::is_invocable_v<std::remove_cvref_t<F> &&, Args...>)
  Completion(F&& f, const Allocator& allocator) {
    using Fn = std::remove_cvref_t<F>;
    if constexpr (fits<Fn>()) {
      ::new (storage()) Fn(std::forward<F>(f));
      table_ = &kInlineTable<Fn>;
    } else {
      using Boxed = Box<Fn, Allocator>;
      using BoxAllocator = typename Boxed::BoxAllocator;
      BoxAllocator box_allocator(allocator);
      Boxed* box = std::allocator_traits<BoxAllocator>::allocate(box_allocator, 1);
      try {
        ::new (box) Boxed{std::forward<F>(f), box_allocator};
      } catch (...) {
        std::allocator_traits<BoxAllocator>::deallocate(box_allocator, box, 1);
        throw;
      }
      ::new (storage())(Boxed*)(box);
      table_ = &kBoxedTable<Boxed>;
    }
  }

  Completion(Completion&& other) noexcept : table_(std::exchange(other.table_, nullptr)) {
    if (table_) table_->move(storage(), other.storage());
  }
  Completion& operator=(Completion&& other) noexcept {
    if (this != &other) {
      reset();
      table_ = std::exchange(other.table_, nullptr);
      if (table_) table_->move(storage(), other.storage());
    }
    return *this;
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() { reset(); }

  explicit operator bool() const { return table_ != nullptr; }

  void operator()(Args... args) {
    std::exchange(table_, nullptr)->call(storage(), std::forward<Args>(args)...);
  }

  void reset() {
    if (table_) std::exchange(table_, nullptr)->destroy(storage());
  }

 private:
  struct Table {
    void (*call)(void*, Args&&...);
    void (*move)(void* to, void* from) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class Fn, class Allocator>
  struct Box {
    using BoxAllocator = typename std::allocator_traits<Allocator>::template rebind_alloc<Box>;
    Fn fn;
    BoxAllocator allocator;
  };

  template <class Fn>
  static constexpr bool fits() {
    return sizeof(Fn) <= kInlineBytes && alignof(Fn) <= alignof(void*) &&
           std::is_nothrow_move_constructible_v<Fn>;
  }

  template <class Boxed>
  static void release(Boxed* box) {
    auto allocator = box->allocator;
    box->~Boxed();
    std::allocator_traits<decltype(allocator)>::deallocate(allocator, box, 1);
  }

  template <class Fn>
  static constexpr Table kInlineTable{[](void* p, Args&&... args) {
                                        Fn fn(std::move(*static_cast<Fn*>(p)));
                                        static_cast<Fn*>(p)->~Fn();
                                        std::move(fn)(std::forward<Args>(args)...);
                                      },
                                      [](void* to, void* from) noexcept {
                                        ::new (to) Fn(std::move(*static_cast<Fn*>(from)));
                                        static_cast<Fn*>(from)->~Fn();
                                      },
                                      [](void* p) noexcept { static_cast<Fn*>(p)->~Fn(); }};

  template <class Boxed>
  static constexpr Table kBoxedTable{
      [](void* p, Args&&... args) {
        Boxed* box = *static_cast<Boxed**>(p);
        auto fn(std::move(box->fn));
        release(box);
        std::move(fn)(std::forward<Args>(args)...);
      },
      [](void* to, void* from) noexcept { ::new (to)(Boxed*)(*static_cast<Boxed**>(from)); },
      [](void* p) noexcept { release(*static_cast<Boxed**>(p)); }};

  void* storage() { return storage_; }

  const Table* table_ = nullptr;
  alignas(void*) std::byte storage_[kInlineBytes];
};

}  // namespace tern

#endif  // TERN_CLIENT_CORE_COMPLETION_H_
