#include "queue/detail/scripts.hpp"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "queue/detail/scripts_data.hpp"
#include "queue/errors.hpp"

namespace reelfarm::queue::detail {
namespace {

std::string sha1_of(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr) != 1) {
    throw Error("OpenSSL refused to compute a SHA-1, by which Redis names scripts");
  }
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned int i = 0; i < length; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 15];
  }
  return out;
}

std::map<std::string, Script, std::less<>> load_scripts() {
  std::map<std::string, Script, std::less<>> scripts;
  const auto text_of = [](std::string_view name) {
    const auto found = std::ranges::find(script_sources(), name, &ScriptSource::name);
    if (found == script_sources().end()) throw std::logic_error("no Lua source named " + std::string(name));
    return std::string(found->text);
  };
  const std::string prelude = text_of("prelude");
  const std::string with_plan = prelude + text_of("enter_plan");
  for (const ScriptSource& source : script_sources()) {
    Script script;
    script.name = source.name;
    const bool plans = source.name == "accept" || source.name == "restore";
    script.text = source.name == "prelude" ? prelude : (plans ? with_plan : prelude) + std::string(source.text);
    script.sha1 = sha1_of(script.text);
    scripts.emplace(script.name, std::move(script));
  }
  return scripts;
}

bool is_noscript(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ERROR &&
         std::string_view(reply.str, static_cast<std::size_t>(reply.len)).starts_with("NOSCRIPT");
}

}  // namespace

const Script& find_script(std::string_view name) {
  static const auto scripts = load_scripts();
  const auto found = scripts.find(name);
  if (found == scripts.end()) throw std::invalid_argument("no script named " + std::string(name));
  return found->second;
}

ReplyPtr run_script(RedisConnection& connection, std::string_view name, const std::string& key,
                    const Arguments& arguments, bool resend) {
  const Script& script = find_script(name);
  Arguments call = {"EVALSHA", script.sha1, "1", key};
  call.insert(call.end(), arguments.begin(), arguments.end());
  ReplyPtr reply = connection.command_raw(call, resend);
  if (is_noscript(*reply)) {
    call[0] = "EVAL";
    call[1] = script.text;
    reply = connection.command_raw(call, resend);
  }
  connection.check(*reply, "transition " + script.name);
  return reply;
}

}  // namespace reelfarm::queue::detail
