#pragma once

#include <cstdint>
#include <memory>

#include "coordinator/http/address.hpp"
#include "coordinator/http/router.hpp"
#include "coordinator/http/token.hpp"

namespace reelfarm::http {

struct ServerOptions {
  Address listen;
  Token token;
  std::size_t max_connections = 96;
  std::uint64_t max_body = std::uint64_t{64} << 20;
  std::chrono::milliseconds idle{5000};    ///< a connection without a request
  std::chrono::milliseconds head{10000};   ///< a request's head as a whole
  std::chrono::milliseconds stall{30000};  ///< a client that takes nothing of an answer
};

/// An HTTP/1.1 server (RFC 9112) of its own threads. What it lets through to a handler has a Host that is meant, a path
/// without tricks, a body no larger than announced, the token where the route wants it, and does not come from a page
/// of another origin.
class Server {
 public:
  /// Listens, and serves from start() on. Throws SetupError: the address cannot be had, or it is no loopback address
  /// and there is no token.
  Server(ServerOptions options, Router router);
  ~Server();

  /// The address, with the port that was given.
  const Address& address() const;
  const Router& router() const;
  void start();
  /// Ends all connections and the threads. stream handlers must end by themselves within a moment.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::http
