#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

/// What an agent and rank 0 of its ranks say to each other over a local socket: one JSON object a line, with a "type".
/// The agent owns the lease and speaks to Redis; the ranks render and speak to nobody else.
namespace reelfarm::worker {

/// A line that is not a message of this protocol. Names the line's type, the field and what was expected.
class ProtocolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A file of the farm. `path` is relative to DATA.
struct FileReference {
  std::string path;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::int64_t frames = 0;  ///< pixel frames in it
};

/// agent -> ranks: render this. Field meanings as in queue::TaskSpec, which the ranks do not know.
struct TaskOrder {
  std::string task;
  std::string job;
  std::string kind;  ///< "image" or "window"
  std::int64_t window = 0;
  std::int64_t take = 1;
  std::int64_t attempt = 0;
  std::string nonce;
  std::string folder;        ///< where the output goes, relative to DATA
  std::string artifact_key;  ///< equal keys under one fingerprint mean equal bytes
  std::string prompt;
  std::string image;  ///< user's image or T2I frame, absolute path; empty: none
  std::string image_sha256;
  std::string image_fit = "crop";
  std::string tail;  ///< tail of the window before, absolute path; empty: this is the first window
  std::string tail_sha256;
  int width = 0;  ///< rendered pixels, multiples of 16
  int height = 0;
  int steps = 0;
  double shift = 0;
  double guidance = 0;
  std::uint64_t seed = 0;
  std::int64_t num_latents = 0;
  std::int64_t overlap_latents = 0;  ///< leading latents that the tail stands for
  std::int64_t tail_latents = 0;     ///< latents of the tail that the next window wants; 0: there is no next window
  std::int64_t first_frame = 0;      ///< global pixel frame of the first frame
};

/// agent -> ranks: give the task up. drain: after the step that runs; cancel: at the next tick, nothing is kept.
struct StopOrder {
  std::string task;
  bool drain = true;
};

/// agent -> ranks: give up what runs after its step, then exit.
struct ShutdownOrder {};

/// ranks -> agent, once the weights are at hand and a GPU has computed with them.
struct Ready {
  std::string fingerprint;
  std::string bundle;
  std::string bundle_hash;
  std::string device;       ///< "cpu", "cuda"
  std::string device_name;  ///< for people
  std::string dtype;
  std::string mesh;
  int ranks = 0;
  int threads = 0;  ///< per rank
};

/// ranks -> agent: alive and moving. `task` is empty until the ranks are ready.
struct Tick {
  std::string task;
  std::string phase;  ///< load, warm-up, encode, step, decode, write
  int step = 0;       ///< finished denoise steps
  int steps = 0;
  double fraction = 0;  ///< of the phase, 0..1
};

/// ranks -> agent: what the next window starts from is on disk.
struct TailReady {
  std::string task;
  FileReference file;
};

/// ranks -> agent: the task's output lies at its final place.
struct Done {
  std::string task;
  FileReference file;  ///< the folder of a window, the file of an image; sha256 is that of the manifest, or of the file
  std::string metrics;  ///< JSON object
};

/// ranks -> agent: the task failed, the ranks live on. `failure` as in queue::FailureClass.
struct Failed {
  std::string task;
  std::string failure;
  std::string message;
};

/// ranks -> agent: what the task starts from (tail or image) is damaged or gone; nothing was rendered, the ranks live
/// on.
struct InputLost {
  std::string task;
  std::string message;
};

/// ranks -> agent: worth a line in the group's log.
struct Note {
  std::string task;
  std::string text;
};

/// ranks -> agent: the task was given up as ordered.
struct Released {
  std::string task;
  int step = 0;
};

using Message =
    std::variant<TaskOrder, StopOrder, ShutdownOrder, Ready, Tick, TailReady, Done, Failed, Released, Note, InputLost>;

/// One line without its newline.
std::string encode(const Message& message);
/// Throws ProtocolError.
Message decode(const std::string& line);

}  // namespace reelfarm::worker
