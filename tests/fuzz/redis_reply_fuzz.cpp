// Any bytes as what Redis answers: hiredis reads replies from them, which become records or CodecError.
#include <hiredis/hiredis.h>

#include <memory>

#include "queue/detail/records.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/errors.hpp"
#include "queue/event.hpp"

namespace {

using namespace reelfarm::queue;

template <typename Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const CodecError&) {
  }
}

void look_at(const redisReply* raw) {
  const detail::Reply reply(raw);
  reply.is_nil();
  reply.is_error("WRONGTYPE");
  attempt([&] { reply.text(); });
  attempt([&] { reply.integer(); });
  attempt([&] { reply.strings(); });
  attempt([&] { detail::job_record("j", detail::HashFields(reply)); });
  attempt([&] { detail::inbox_record("j", detail::HashFields(reply)); });
  attempt([&] { detail::rejected_record("j", detail::HashFields(reply)); });
  attempt([&] { detail::task_record(detail::HashFields(reply)); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
  if (redisReaderFeed(reader.get(), reinterpret_cast<const char*>(data), size) != REDIS_OK) return 0;
  void* raw = nullptr;
  while (redisReaderGetReply(reader.get(), &raw) == REDIS_OK && raw != nullptr) {
    const detail::ReplyPtr reply(static_cast<redisReply*>(raw));
    look_at(reply.get());
    raw = nullptr;
  }
  return 0;
}
