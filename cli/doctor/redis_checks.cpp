#include <cstdio>

#include "cli/doctor/checks.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {

Finding judge_latency(double round_trip_ms) {
  constexpr double kSlow_ms = 50;  // an agent talks to it a few times a second, between looks at its ranks
  char text[80];
  std::snprintf(text, sizeof text, "answers within %.1f ms", round_trip_ms);
  if (round_trip_ms <= kSlow_ms) return {Health::ok, "redis latency", text};
  return {Health::note, "redis latency", text, "look at the network to the server, and at its load and disk"};
}

namespace {

Finding judge_version(const queue::ServerFacts& facts) {
  const std::string text = "version " + (facts.version.empty() ? "not told" : facts.version);
  if (facts.supported) return {Health::ok, "redis", text};
  return {Health::problem, "redis", text + "; " + queue::kLeastRedisVersion + " or newer is needed",
          "install a newer redis-server, or name another with --redis"};
}

Finding judge_memory(const queue::ServerFacts& facts) {
  constexpr double kFull = 0.9;
  const std::string used = bytes_text(static_cast<std::uint64_t>(facts.memory)) + " used";
  if (facts.eviction != "noeviction") {
    const std::string policy = facts.eviction.empty() ? "not told" : facts.eviction;
    const std::string limit =
        facts.memory_max > 0 ? "of " + bytes_text(static_cast<std::uint64_t>(facts.memory_max)) : "without a limit yet";
    return {
        Health::problem, "redis memory",
        "maxmemory-policy " + policy + ": it may throw jobs away when memory runs short (" + used + " " + limit + ")",
        "set maxmemory-policy noeviction in its configuration, and now by 'redis-cli config set'"};
  }
  if (facts.memory_max == 0) return {Health::ok, "redis memory", used + ", no limit, evicts nothing"};
  const std::string text =
      used + " of " + bytes_text(static_cast<std::uint64_t>(facts.memory_max)) + ", evicts nothing";
  if (static_cast<double>(facts.memory) < kFull * static_cast<double>(facts.memory_max)) {
    return {Health::ok, "redis memory", text};
  }
  return {Health::note, "redis memory", text + "; full, it takes no jobs and no leases",
          "raise its maxmemory, or remove old jobs ('reelfarm rm')"};
}

}  // namespace

std::vector<Finding> judge_server(const queue::ServerFacts& facts) {
  constexpr double kSlow_ms = 50;
  std::vector<Finding> findings = {judge_version(facts), judge_memory(facts)};
  const std::string kept = facts.append_only
                               ? "append-only file, appendfsync " + (facts.fsync.empty() ? "not told" : facts.fsync)
                               : "no append-only file";
  if (facts.writes_fail) {
    findings.push_back({Health::problem, "redis keeps", kept + ", and its last write there failed",
                        "look at the server's log and its disk"});
  } else if (!facts.append_only || facts.fsync == "no") {
    findings.push_back({Health::problem, "redis keeps", kept + ": a crash loses what was queued since it last wrote",
                        "set appendonly yes and appendfsync everysec or always (deploy/redis/redis.conf)"});
  } else if (facts.fsync == "everysec") {
    findings.push_back({Health::ok, "redis keeps", kept + ": a crash of its machine may lose the last second"});
  } else {
    findings.push_back({Health::ok, "redis keeps", kept});
  }
  if (!facts.slowest_write_ms) return findings;
  char text[80];
  std::snprintf(text, sizeof text, "takes a write within %.1f ms; %lld had to wait for the disk",
                *facts.slowest_write_ms, static_cast<long long>(facts.delayed_fsyncs));
  if (*facts.slowest_write_ms <= kSlow_ms) {
    findings.push_back({Health::ok, "redis disk", text});
  } else {
    findings.push_back(
        {Health::note, "redis disk", text, "give its append-only file a faster disk, of its own if it can be"});
  }
  return findings;
}

}  // namespace reelfarm::cli
