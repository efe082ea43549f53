#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/http/address.hpp"

namespace reelfarm::test {

struct RawAnswer {
  int status = 0;                              ///< 0: the connection ended before an answer came
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// A connection that sends exactly the bytes it is told to.
class RawClient {
 public:
  explicit RawClient(const http::Address& address);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// False when the other end has closed.
  bool send(const std::string& bytes) const;
  /// One answer, by its Content-Length or chunks.
  RawAnswer answer();
  /// True when nothing but the end comes; waits for it.
  bool ends();
  /// What has come so far plus what comes until `text` is in it; shorter when the connection ends first.
  std::string read_until(const std::string& text);

 private:
  bool more();

  int socket_ = -1;
  std::string buffer_;
};

/// One request on a connection of its own. A body makes it a POST.
RawAnswer ask(const http::Address& address, const std::string& target, const std::vector<std::string>& headers = {});
RawAnswer post(const http::Address& address, const std::string& target, const std::string& body,
               const std::vector<std::string>& headers = {});

}  // namespace reelfarm::test
