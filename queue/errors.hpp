#pragma once

#include <stdexcept>
#include <string>

namespace reelfarm::queue {

/// Base of everything the queue throws. The text says what was tried, the values, and Redis' own words.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A Redis URL that cannot be used: unknown scheme, bad port, TLS asked of a build without it.
class UrlError : public Error {
 public:
  using Error::Error;
};

/// Redis cannot be reached, or the connection broke and one new attempt broke as well.
class ConnectionError : public Error {
 public:
  using Error::Error;
};

/// No answer within StoreOptions::command_timeout; whether the server applied the command is unknown.
/// Every transition may be sent again: it is idempotent for the same token, nonce or request id.
class TimeoutError : public ConnectionError {
 public:
  using ConnectionError::ConnectionError;
};

/// Redis answers, but takes no commands or no writes for now: its disk or memory is full, it loads its data, or it is a
/// replica of a server that is away. Nothing of the command was applied. Whoever outlives an outage outlives this.
class NotReadyError : public ConnectionError {
 public:
  using ConnectionError::ConnectionError;
};

/// Redis refused the password, or the user may not run a command (NOAUTH, WRONGPASS, NOPERM).
class AuthenticationError : public Error {
 public:
  using Error::Error;
};

/// Redis answered with an error; code() is its first word, for example "WRONGTYPE".
class ReplyError : public Error {
 public:
  ReplyError(std::string code, const std::string& text) : Error(text), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

/// The server is too old, or what answers is not Redis.
class UnsupportedServerError : public Error {
 public:
  using Error::Error;
};

/// The server's settings may lose jobs: eviction is on, or persistence is off and was not asked to be.
class UnsafeServerError : public Error {
 public:
  using Error::Error;
};

/// A stored record cannot be read: not JSON, a field is missing or has the wrong type.
class CodecError : public Error {
 public:
  using Error::Error;
};

/// A stored record was written with a schema number this program does not know.
class SchemaError : public CodecError {
 public:
  SchemaError(int found, int known, const std::string& text) : CodecError(text), found_(found), known_(known) {}
  int found() const { return found_; }
  int known() const { return known_; }

 private:
  int found_;
  int known_;
};

/// A caller asked for a transition that makes no sense, for example a stitch finished before its windows.
class TransitionError : public Error {
 public:
  using Error::Error;
};

/// A redis-server that was to be started did not come up.
class ServerStartError : public Error {
 public:
  using Error::Error;
};

}  // namespace reelfarm::queue
