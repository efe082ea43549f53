#include "queue/detail/redis_tls.hpp"

#include "queue/errors.hpp"

#ifdef REELFARM_HIREDIS_SSL
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <memory>
#include <string>

namespace reelfarm::queue::detail {
namespace {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

/// hiredis' own context neither loads the system's authorities nor checks the host name, so OpenSSL's is made here.
SSL_CTX* client_context() {
  static const std::unique_ptr<SSL_CTX, SslContextDeleter> context = [] {
    redisInitOpenSSL();
    std::unique_ptr<SSL_CTX, SslContextDeleter> made(SSL_CTX_new(TLS_client_method()));
    if (made) {
      SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
      SSL_CTX_set_default_verify_paths(made.get());
      SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
    }
    return made;
  }();
  return context.get();
}

}  // namespace

void start_tls(redisContext& context, const RedisUrl& url) {
  std::unique_ptr<SSL, SslDeleter> ssl(client_context() ? SSL_new(client_context()) : nullptr);
  if (!ssl) throw ConnectionError("TLS to " + url.redacted() + ": OpenSSL could not make a context");
  // An address is compared with the certificate's addresses, anything else with its names.
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), url.host.c_str()) != 1) {
    SSL_set1_host(ssl.get(), url.host.c_str());
    SSL_set_tlsext_host_name(ssl.get(), url.host.c_str());
  }
  errno = 0;
  if (redisInitiateSSL(&context, ssl.get()) == REDIS_OK) {
    [[maybe_unused]] const SSL* owned_by_context = ssl.release();
    return;
  }
  const bool late = errno == EAGAIN || errno == EWOULDBLOCK;
  const long verify = SSL_get_verify_result(ssl.get());
  std::string reason = context.errstr;
  if (late) reason = "the server does not answer the handshake: is this its TLS port (tls-port)?";
  if (verify != X509_V_OK) reason += std::string(": ") + X509_verify_cert_error_string(verify);
  throw ConnectionError("TLS to " + url.redacted() + ": " + reason);
}

}  // namespace reelfarm::queue::detail
#else
namespace reelfarm::queue::detail {

void start_tls(redisContext& /*context*/, const RedisUrl& url) {
  throw ConnectionError("TLS to " + url.redacted() + ": this build has no TLS");
}

}  // namespace reelfarm::queue::detail
#endif
