#include "worker/agent/bundle_facts.hpp"

#include <string>

#include "posix/run_program.hpp"
#include "queue/codec.hpp"
#include "queue/errors.hpp"

namespace reelfarm::worker {

queue::BundleLimits inspect_bundle(const std::filesystem::path& program, const std::filesystem::path& bundle) {
  const posix::Ended ended = posix::run_program(
      {.words = {program.string(), "inspect", "--json", bundle.string()}, .errors = posix::ErrorStream::inherited});
  // The program has said on stderr, which is ours, what is wrong.
  if (ended.exit_code != 0) {
    throw BundleRefused("the bundle '" + bundle.string() + "' cannot be used (see above)");
  }
  try {
    return queue::decode_bundle_limits(ended.output);
  } catch (const queue::CodecError& problem) {
    throw BundleRefused(program.string() + " printed something else than a bundle's limits (" + problem.what() +
                        "); are the programs of one version?");
  }
}

}  // namespace reelfarm::worker
