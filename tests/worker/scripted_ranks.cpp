// Stands in for reelfarm-ranks where a test is about the agent: speaks the same protocol and does what the prompt says.
//   render            ticks through its steps, publishes a tail and a file, reports done
//   crash             ends with code 7 at step 2 of the first attempt, renders on the next
//   always-crash      ends with code 7 at step 2
//   hang              stops ticking at step 2 of the first attempt, renders on the next
//   slow              one step a 50 ms, so that a test can stop it
//   dies-when-told    as slow, but ends with code 9 instead of giving the task back
//   deaf              one step a 50 ms for ever, whatever it is told
//   held-decode       as render, but is decoded, beside others, until DATA/may-end says how many of these may end
//   slow-write        as render, but takes 2 s between its tail and its end
//   fail-data         reports a failure of class data
//   lost-tail         cannot read its tail on the first attempt, renders on the next; renders where there is no tail
//   lost-image        cannot read its image
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>

#include "worker/protocol/line_channel.hpp"
#include "worker/protocol/messages.hpp"

namespace {

using namespace reelfarm::worker;

std::string argument(int argc, char** argv, const std::string& name) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return argv[i + 1];
  }
  return {};
}

class ScriptedRanks {
 public:
  ScriptedRanks(LineChannel channel, std::filesystem::path data)
      : channel_(std::move(channel)), data_(std::move(data)) {}

  int run() {
    Ready ready;
    ready.fingerprint = "scripted";
    ready.bundle = "scripted";
    ready.bundle_hash = "scripted-hash";
    ready.device = "cpu";
    ready.dtype = "fp32";
    ready.ranks = 1;
    send(ready);
    for (;;) {
      constexpr int kLookMs = 20;
      if (!wait(decoding_.empty() ? -1 : kLookMs)) return 0;
      look_after_decodes();
      while (const auto line = channel_.next_line()) {
        const Message message = decode(*line);
        if (std::holds_alternative<ShutdownOrder>(message)) return 0;
        if (const auto* order = std::get_if<TaskOrder>(&message)) render(*order);
      }
    }
  }

 private:
  void send(const Message& message) {
    if (!channel_.send(encode(message))) std::_Exit(0);
  }

  bool wait(int timeout_ms) {
    pollfd event{channel_.descriptor(), POLLIN, 0};
    ::poll(&event, 1, timeout_ms);
    return channel_.receive();
  }

  /// True when the agent wants the task back.
  bool stop_asked(const std::string& task) {
    if (!channel_.receive()) std::_Exit(0);
    while (const auto line = channel_.next_line()) {
      const Message message = decode(*line);
      if (const auto* stop = std::get_if<StopOrder>(&message); stop != nullptr && stop->task == task) return true;
    }
    return false;
  }

  void render(const TaskOrder& order) {
    if (order.prompt == "fail-data") {
      send(Failed{order.task, "data", "the image has no pixels"});
      return;
    }
    if (order.prompt == "lost-image" || (order.prompt == "lost-tail" && !order.tail.empty() && order.attempt == 1)) {
      send(InputLost{order.task, "cannot open what it starts from"});
      return;
    }
    const bool deaf = order.prompt == "deaf";
    const bool slow = deaf || order.prompt == "slow" || order.prompt == "dies-when-told";
    const int steps = slow ? 2000 : 4;
    for (int step = 0; step <= steps; ++step) {
      if (stop_asked(order.task) && !deaf) {
        if (order.prompt == "dies-when-told") std::_Exit(9);
        send(Released{order.task, step});
        return;
      }
      send(Tick{order.task, "step", step, steps, 1.0 * step / steps});
      const bool first = order.attempt == 1;
      if (step == 2 && (order.prompt == "always-crash" || (order.prompt == "crash" && first))) std::_Exit(7);
      if (step == 2 && order.prompt == "hang" && first) ::pause();
      if (slow) wait(50);
    }
    send(TailReady{order.task, write(name_of(order) + ".tail", 1)});
    if (order.prompt == "held-decode") {
      decoding_.push_back(order);
      return look_after_decodes();
    }
    const int pieces = order.prompt == "slow-write" ? 40 : 1;
    for (int piece = 0; piece < pieces; ++piece) {
      send(Tick{order.task, "write", steps, steps, 0.5});
      if (pieces > 1) wait(50);
    }
    finish(order);
  }

  static std::string name_of(const TaskOrder& order) {
    return order.task + "_a" + std::to_string(order.attempt) + "_" + order.nonce;
  }

  void finish(const TaskOrder& order) {
    send(Done{order.task, write(name_of(order), 4 * (order.num_latents - 1) + 1), "{}"});
  }

  void look_after_decodes() {
    int may_end = 0;
    std::ifstream(data_ / "may-end") >> may_end;
    for (; !decoding_.empty() && ended_ < may_end; ++ended_) {
      finish(decoding_.front());
      decoding_.pop_front();
    }
    for (const TaskOrder& order : decoding_) send(Tick{order.task, "decode", order.steps, order.steps, 0.5});
  }

  FileReference write(const std::string& name, std::int64_t frames) {
    std::filesystem::create_directories(data_ / "scripted");
    std::ofstream(data_ / "scripted" / name) << name;
    return {"scripted/" + name, "digest-of-" + name, name.size(), frames};
  }

  LineChannel channel_;
  std::filesystem::path data_;
  std::deque<TaskOrder> decoding_;
  int ended_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argument(argc, argv, "--bundle").find("refused") != std::string::npos) return 2;
  ScriptedRanks ranks(LineChannel::connect(argument(argc, argv, "--agent-socket")), argument(argc, argv, "--data"));
  return ranks.run();
}
