#include "client/tls/stream.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "client/tls/openssl.h"

namespace tern::tls {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kBatchBytes = 64 * 1024;  // encrypted for one write: four full records
constexpr std::size_t kMaxNamesShown = 8;

std::string text_of(const X509_NAME* name) {
  const Owned<BIO, BIO_free_all> bio(BIO_new(BIO_s_mem()));
  if (name == nullptr || !bio) return "?";
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : "no name";
}

// What a certificate is for: "a.example, *.b.example, 127.0.0.1".
std::string names_of(X509* certificate) {
  const Owned<GENERAL_NAMES, GENERAL_NAMES_free> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  std::size_t shown = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const auto* const data = ASN1_STRING_get0_data(name->d.ip);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.ip));
    if (!text.empty()) text += ", ";
    if (shown++ == kMaxNamesShown) return text + "...";
    if (name->type == GEN_DNS) {
      for (const char c : std::string_view(reinterpret_cast<const char*>(data), size)) {
        text += c > ' ' && c < 0x7f ? c : '?';
      }
      continue;
    }
    char address[INET6_ADDRSTRLEN] = "?";
    if (size == 4 || size == 16) {
      (void)::inet_ntop(size == 4 ? AF_INET : AF_INET6, data, address, sizeof(address));
    }
    text += address;
  }
  return text.empty() ? "no host" : text;
}

}  // namespace

// OpenSSL's way to the bytes: from `in_`, to `later_`.
struct StreamBio {
  static TlsStream& stream(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    TlsStream& s = stream(bio);
    BIO_clear_retry_flags(bio);
    const std::size_t n =
        std::min(static_cast<std::size_t>(std::max(size, 0)), s.in_end_ - s.in_begin_);
    if (n == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(to, s.in_.data() + s.in_begin_, n);
    s.in_begin_ += n;
    return static_cast<int>(n);
  }
  static int write(BIO* bio, const char* from, int size) {
    if (size <= 0) return 0;
    const auto* const begin = reinterpret_cast<const std::byte*>(from);
    std::vector<std::byte>& to = stream(bio).later_;
    to.insert(to.end(), begin, begin + size);
    return size;
  }
  static long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tern");
      if (made == nullptr) return made;
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }
};

TlsStream::TlsStream(TlsNetwork& owner, const Endpoint& peer, Link& link)
    : owner_(owner),
      peer_(peer),
      link_(link),
      timer_(Timer::calling<&TlsStream::on_timer>(owner.timers_, this)) {}

// ----------------------------------------------------------------------------------- beginning

bool TlsStream::set_up() {
  ERR_clear_error();
  ssl_.reset(SSL_new(owner_.context_->ssl.get()));
  BIO* const bio = ssl_ ? BIO_new(StreamBio::method()) : nullptr;
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_connect_state(ssl_.get());
  SSL_set_verify(ssl_.get(), owner_.context_->verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                 owner_.context_->verify_peer ? &TlsStream::on_verify : nullptr);
  return set_name();
}

bool TlsStream::set_name() {
  const Context& context = *owner_.context_;
  name_ = context.server_name.empty() ? peer_.host : context.server_name;
  if (name_.ends_with('.')) name_.pop_back();
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> address(a2i_IPADDRESS(name_.c_str()));
  const bool asked = context.check_name || !context.server_name.empty();
  ERR_clear_error();
  if (asked && !address && SSL_set_tlsext_host_name(ssl_.get(), name_.c_str()) != 1) return false;
  if (!context.check_name || !context.verify_peer) return true;
  if (address) {
    return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl_.get()),
                                     ASN1_STRING_get0_data(address.get()),
                                     static_cast<std::size_t>(ASN1_STRING_length(address.get())));
  }
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl_.get(), name_.c_str()) == 1;
}

void TlsStream::on_open(Now now) {
  if (state_ != State::connecting) return;
  state_ = State::handshake;
  if (const Failure& failure = owner_.context_->failure) {
    return end(Stage::tls, failure.code, failure.message());
  }
  if (!set_up()) {
    return end(Stage::tls, Errc::broken, "OpenSSL cannot begin: " + take_error());
  }
  handshake(now);
}

void TlsStream::handshake(Now now) {
  ERR_clear_error();
  if (const int status = SSL_do_handshake(ssl_.get()); status != 1) {
    const int error = SSL_get_error(ssl_.get(), status);
    if (error != SSL_ERROR_WANT_READ) fail_with_openssl();
    return write_later();
  }
  state_ = State::open;
  write_later();
  if (std::exchange(write_wanted_, false)) owner_.network_.want_write(id);
  if (paused_) owner_.network_.pause_read(id, true);
  link_.on_open(now);
  read(now);  // what has come with the end of the handshake
}

int TlsStream::on_verify(int accepted, X509_STORE_CTX* store) {
  if (accepted == 0) {
    const auto* const ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    static_cast<TlsStream*>(SSL_get_app_data(ssl))->note_refusal(store);
  }
  return accepted;
}

void TlsStream::note_refusal(X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  refusal_ = X509_verify_cert_error_string(error);
  X509* const certificate = X509_STORE_CTX_get_current_cert(store);
  if (certificate == nullptr) return;
  refusal_ += " (that of " + text_of(X509_get_subject_name(certificate)) + ", issued by " +
              text_of(X509_get_issuer_name(certificate));
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    refusal_ += ", is for " + names_of(certificate) + " and not for " + name_;
  }
  const int depth = X509_STORE_CTX_get_error_depth(store);
  if (depth > 0) refusal_ += ", " + std::to_string(depth) + " above the peer's";
  refusal_ += ')';
}

// --------------------------------------------------------------------------------- what comes in

std::span<std::byte> TlsStream::read_space() {
  if (in_begin_ == in_end_) {
    in_begin_ = in_end_ = 0;
    if (in_.empty()) in_.resize(kReadBytes);
  } else if (in_end_ == in_.size()) {
    std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
    in_end_ -= std::exchange(in_begin_, 0);
    // The engine has paused, so there will not be much more.
    if (in_end_ == in_.size()) in_.resize(in_.size() * 2);
  }
  return std::span(in_).subspan(in_end_);
}

void TlsStream::on_read(std::size_t n, Now now) {
  in_end_ += n;
  switch (state_) {
    case State::handshake:
      if (!std::exchange(heard_, true) && !speaks_tls()) return;
      return handshake(now);
    case State::open:
      return read(now);
    case State::connecting:
    case State::parting:
    case State::closing:
      in_begin_ = in_end_;
      return;
  }
}

// A look at the first byte: OpenSSL would complain of a wrong version.
bool TlsStream::speaks_tls() {
  const auto first = static_cast<unsigned>(in_[in_begin_]);
  if (first >= SSL3_RT_CHANGE_CIPHER_SPEC && first <= SSL3_RT_APPLICATION_DATA) return true;
  const std::string_view text(reinterpret_cast<const char*>(in_.data() + in_begin_),
                              in_end_ - in_begin_);
  const char* who = "something else answered";
  if (text.starts_with("AMQP")) who = "AMQP without TLS was answered";
  if (text.starts_with("HTTP")) who = "HTTP without TLS was answered";
  end(Stage::tls, ClientErrc::not_the_protocol, std::string(who) + "; is this a port without TLS?");
  return false;
}

// Gives the engine what there is, up to a pause or the end.
void TlsStream::read(Now now) {
  while (state_ == State::open && !paused_) {
    const std::span<std::byte> space = link_.read_space();
    if (space.empty()) {
      end(Stage::protocol, std::make_error_code(std::errc::no_buffer_space), {});
      break;
    }
    const std::size_t n = decrypt(space);
    const int error = read_error_;
    if (n != 0) link_.on_read(n, now);
    if (state_ != State::open) break;
    if (error == SSL_ERROR_ZERO_RETURN) {
      end(Stage::protocol, std::make_error_code(std::errc::connection_aborted), {});
    } else if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ) {
      fail_with_openssl();
    }
    if (error != SSL_ERROR_NONE) break;
  }
  write_later();
}

// Fills `space` as far as it goes; `read_error_` says what ended it, if it is not full.
std::size_t TlsStream::decrypt(std::span<std::byte> space) {
  std::size_t filled = 0;
  read_error_ = SSL_ERROR_NONE;
  while (filled < space.size()) {
    ERR_clear_error();
    std::size_t n = 0;
    const int status = SSL_read_ex(ssl_.get(), space.data() + filled, space.size() - filled, &n);
    if (status != 1) {
      read_error_ = SSL_get_error(ssl_.get(), status);
      break;
    }
    filled += n;
  }
  return filled;
}

void TlsStream::pause_read(bool paused) {
  paused_ = paused;
  if (state_ != State::open) return;
  owner_.network_.pause_read(id, paused);
  // What was read before the pause is given from a step, as nobody is called from in here.
  if (!paused && (in_begin_ != in_end_ || SSL_has_pending(ssl_.get()) == 1)) {
    timer_.set(owner_.network_.now().mono);
    owner_.network_.wake();
  }
}

// -------------------------------------------------------------------------------- what goes out

void TlsStream::want_write() {
  if (state_ == State::open) {
    owner_.network_.want_write(id);
  } else {
    write_wanted_ = true;
  }
}

void TlsStream::write_later() {
  if (!later_.empty() && state_ != State::closing) owner_.network_.want_write(id);
}

void TlsStream::gather(BufferList& out) {
  if (state_ == State::connecting || state_ == State::closing) return;
  if (out_written_ == out_.size()) {
    out_.clear();
    out_written_ = 0;
    if (state_ == State::open) encrypt();
    std::swap(out_, later_);
  }
  if (state_ != State::closing) {
    out.add(out_.data() + out_written_, out_.size() - out_written_);
  }
}

// Takes as much as goes into one write. The engine hears that its bytes have gone out when all of
// them have, so until then it is not asked again.
void TlsStream::encrypt() {
  BufferList& pieces = owner_.pieces_;
  pieces.clear();
  link_.gather(pieces);
  std::size_t room = kBatchBytes;
  record_size_ = 0;
  for (const BufferList::Piece& piece : pieces.pieces()) {
    if (room == 0 || state_ != State::open) break;
    const std::size_t n = std::min(piece.size, room);
    room -= n;
    if (!write(piece.data, n)) return;
  }
  if (state_ == State::open && flush_record()) plain_ = kBatchBytes - room;
}

// Full records straight from where the bytes lie; what is smaller is put together first.
bool TlsStream::write(const void* data, std::size_t size) {
  const auto* from = static_cast<const std::byte*>(data);
  auto& record = owner_.record_;
  while (size != 0) {
    if (record_size_ == 0 && size >= record.size()) {
      if (!write_record(from, record.size())) return false;
      from += record.size();
      size -= record.size();
      continue;
    }
    const std::size_t n = std::min(size, record.size() - record_size_);
    std::memcpy(record.data() + record_size_, from, n);
    record_size_ += n;
    from += n;
    size -= n;
    if (record_size_ == record.size() && !flush_record()) return false;
  }
  return true;
}

bool TlsStream::flush_record() {
  const std::size_t size = std::exchange(record_size_, 0);
  return size == 0 || write_record(owner_.record_.data(), size);
}

bool TlsStream::write_record(const std::byte* data, std::size_t size) {
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(ssl_.get(), data, size, &written) == 1) return true;
  fail_with_openssl();
  return false;
}

void TlsStream::on_written(std::size_t n, Now now) {
  out_written_ += n;
  if (out_written_ < out_.size()) return;
  const std::size_t plain = std::exchange(plain_, 0);
  if (plain != 0 && state_ == State::open) link_.on_written(plain, now);
  if (state_ == State::parting && later_.empty()) close_below();
}

// -------------------------------------------------------------------------------------- the end

// After a call to OpenSSL that has failed for good.
void TlsStream::fail_with_openssl() {
  if (!refusal_.empty()) {
    ERR_clear_error();
    return end(Stage::tls, Errc::certificate_refused, refusal_);
  }
  // What the peer says itself is noted last.
  const auto noted = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(noted);
  if (ERR_GET_LIB(noted) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
    const int alert = reason - SSL_AD_REASON_OFFSET;
    // "tlsv1 alert unknown ca"
    const char* const known = ERR_reason_error_string(noted);
    std::string words = known ? known : "unknown";
    constexpr std::string_view kBefore = " alert ";
    if (const auto at = words.find(kBefore); at != words.npos) words.erase(0, at + kBefore.size());
    ERR_clear_error();
    return end(Stage::tls, Errc::alert, words + " (" + std::to_string(alert) + ")");
  }
  end(Stage::tls, Errc::broken, take_error());
}

// What is known first counts. The engine hears of it when the network has let go of the link.
void TlsStream::end(Stage stage, std::error_code why, std::string words) {
  if (state_ == State::parting || state_ == State::closing) return;
  stage_ = stage;
  why_ = why;
  words_ = std::move(words);
  if (stage == Stage::protocol) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  part();
}

void TlsStream::close() {
  if (closed_by_engine_) return;
  closed_by_engine_ = true;
  // Behind a full socket nothing is waited for.
  if (state_ != State::open || out_written_ != out_.size()) return close_below();
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  part();
}

void TlsStream::part() {
  if (later_.empty() && out_written_ == out_.size()) return close_below();
  state_ = State::parting;
  timer_.set(deadline_after(owner_.network_.now().mono, owner_.context_->close_timeout));
  owner_.network_.want_write(id);
}

void TlsStream::close_below() {
  if (state_ == State::handshake && closed_by_engine_) words_ = "it was in the TLS handshake";
  state_ = State::closing;
  timer_.cancel();
  owner_.network_.close(id);
}

void TlsStream::on_timer(Now now) {
  if (state_ == State::parting) return close_below();
  if (state_ == State::open) read(now);
}

void TlsStream::on_closed(Stage stage, std::error_code why, Now now) {
  if (closed_by_engine_) {
    why = std::make_error_code(std::errc::operation_canceled);
  } else if (why_) {
    stage = stage_;
    why = why_;
  } else if (state_ == State::handshake) {
    stage = Stage::tls;
    words_ = "it ended in the TLS handshake";
    if (!heard_) words_ += "; is this a port without TLS?";
  } else if (state_ == State::open && why == std::errc::connection_aborted) {
    stage = Stage::tls;
    words_ = "the end was not said (no close_notify): something may be missing";
  }
  // Gone before the engine hears of it: it may open the next one in there.
  const auto self = std::move(owner_.streams_[id.index]);
  owner_.why_closed_ = std::move(words_);
  link_.on_closed(stage, why, now);
  owner_.why_closed_.clear();
}

}  // namespace tern::tls
