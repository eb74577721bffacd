// Waiting for one operation of a client, with Ctrl-C and with errors that say what to do next.
#ifndef TERN_CLIENT_CLI_CALL_H_
#define TERN_CLIENT_CLI_CALL_H_

#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <system_error>

#include "client/cli/interrupt.h"
#include "client/cli/words.h"
#include "client/core/error.h"

namespace tern::cli {

// Waits for what `start(Diagnostics*)` returns a future of; `give_up` is what ends that after
// Ctrl-C. `next_step` is what the user can do about an error, to be appended to a sentence. Throws
// std::runtime_error that begins with `what`, or Interrupted.
template <class Start>
auto call(const Interrupt& interrupt, std::function<void()> give_up,
          const std::function<const char*(const std::error_code&)>& next_step,
          const std::string& what, Start start) {
  Diagnostics diagnostics;
  auto future = start(&diagnostics);
  {
    const Interrupt::Reaction reaction(interrupt, std::move(give_up));
    future.wait();
  }
  try {
    return future.get();
  } catch (const std::system_error& error) {
    if (interrupt.raised()) throw Interrupted();
    const std::string& why = diagnostics.message;
    throw std::runtime_error(what + ": " + (why.empty() ? error.code().message() : why) +
                             next_step(error.code()));
  }
}

}  // namespace tern::cli

#endif  // TERN_CLIENT_CLI_CALL_H_
