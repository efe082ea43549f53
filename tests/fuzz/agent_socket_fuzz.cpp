// Any bytes on the socket between agent and ranks: lines come out as they went in, messages are read or refused.
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "worker/protocol/line_channel.hpp"
#include "worker/protocol/messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace reelfarm::worker;
  using reelfarm::posix::Descriptor;
  constexpr std::size_t kFitsTheSocket = 64 << 10;
  size = std::min(size, kFitsTheSocket);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  LineChannel reader{Descriptor(ends[0])};
  {
    const Descriptor writer(ends[1]);
    if (::send(writer.get(), data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  }
  while (reader.receive()) {
  }
  const std::string sent(reinterpret_cast<const char*>(data), size);
  std::string received;
  while (const auto line = reader.next_line()) {
    received += *line + "\n";
    try {
      const Message message = decode(*line);
      if (encode(decode(encode(message))) != encode(message)) std::abort();
    } catch (const ProtocolError&) {
    }
  }
  if (!sent.starts_with(received)) std::abort();
  return 0;
}
