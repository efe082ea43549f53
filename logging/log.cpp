#include "logging/log.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <utility>

namespace reelfarm::logging {
namespace {

std::string_view view(spdlog::string_view_t text) {
  return {text.data(), text.size()};
}

class JsonFormatter : public spdlog::formatter {
 public:
  JsonFormatter(std::string program, std::optional<int> rank) : program_(std::move(program)), rank_(rank) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string line = json_line({.time = message.time,
                                        .level = view(spdlog::level::to_string_view(message.level)),
                                        .program = program_,
                                        .message = view(message.payload),
                                        .rank = rank_});
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(program_, rank_); }

 private:
  std::string program_;
  std::optional<int> rank_;
};

Format current = Format::text;

}  // namespace

void start(const std::string& program, Format format, std::optional<int> rank) {
  current = format;
  auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  if (format == Format::json) {
    logger->set_formatter(std::make_unique<JsonFormatter>(program, rank));
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l %v");
  }
  spdlog::set_default_logger(std::move(logger));
}

void info(const std::string& text) {
  spdlog::info("{}", text);
}

void warn(const std::string& text) {
  spdlog::warn("{}", text);
}

int complain(const std::string& program, const std::string& text, int code) {
  if (current == Format::json) {
    spdlog::critical("exit_code={} {}", code, text);
  } else {
    std::fprintf(stderr, "reelfarm-%s: %s\n", program.c_str(), text.c_str());
  }
  return code;
}

}  // namespace reelfarm::logging
