#include "coordinator/http/reply_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "coordinator/http/byte_range.hpp"
#include "coordinator/http/guard.hpp"
#include "posix/descriptor.hpp"

namespace reelfarm::http {
namespace {

/// A file being sent: what is renamed or removed meanwhile is still sent as it was.
class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) {}

  /// Nothing when it is not there or no plain file.
  std::optional<std::uint64_t> size() const {
    struct stat status {};
    if (!descriptor_ || ::fstat(descriptor_.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
  }

  ssize_t read(char* target, std::size_t size, std::uint64_t offset) const {
    for (;;) {
      const ssize_t count = ::pread(descriptor_.get(), target, size, static_cast<off_t>(offset));
      if (count >= 0 || errno != EINTR) return count;
    }
  }

 private:
  posix::Descriptor descriptor_;
};

void write_body(const Reply& reply, httplib::Response& response) {
  response.status = reply.status;
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  response.set_content(reply.body, reply.type);
}

void write_file(const Reply& reply, const std::string& header, httplib::Response& response) {
  const auto file = std::make_shared<OpenFile>(reply.file->path);
  const auto size = file->size();
  if (!size) return write_body(error_reply(404, "the file is not there any more"), response);
  ByteRange range{0, *size};
  response.status = reply.status;
  if (const auto asked = parse_range(header, *size)) {
    range = *asked;
    if (range.count == 0) {
      response.set_header("Content-Range", "bytes */" + std::to_string(*size));
      return write_body(error_reply(416, "the file has no such range"), response);
    }
    response.status = 206;
    response.set_header("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                             std::to_string(range.first + range.count - 1) + "/" +
                                             std::to_string(*size));
  }
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  response.set_header("Accept-Ranges", "bytes");
  if (range.count == 0) return response.set_content("", reply.type);
  response.set_content_provider(
      range.count, reply.type, [file, range](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        std::array<char, 65536> piece;
        const ssize_t count = file->read(piece.data(), std::min(length, piece.size()), range.first + offset);
        return count > 0 && sink.write(piece.data(), static_cast<std::size_t>(count));
      });
}

void write_stream(Reply reply, httplib::Response& response) {
  response.status = reply.status;
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  response.set_chunked_content_provider(reply.type,
                                        [next = std::move(reply.stream)](std::size_t, httplib::DataSink& sink) {
                                          const std::optional<std::string> piece = next();
                                          if (!piece) {
                                            sink.done();
                                            return true;
                                          }
                                          return piece->empty() || sink.write(piece->data(), piece->size());
                                        });
}

}  // namespace

void write_reply(Reply reply, const std::string& range, httplib::Response& response) {
  for (const auto& [name, value] : security_headers()) response.set_header(name, value);
  const bool cached = std::any_of(reply.headers.begin(), reply.headers.end(),
                                  [](const auto& header) { return header.first == "Cache-Control"; });
  if (!cached) response.set_header("Cache-Control", "no-store");
  if (reply.stream) return write_stream(std::move(reply), response);
  if (reply.file) return write_file(reply, range, response);
  write_body(reply, response);
}

}  // namespace reelfarm::http
