#pragma once

#include "pipeline/video/codec.hpp"
#include "pipeline/video/detail/av.hpp"

namespace reelfarm::video::detail {

struct CodecRow {
  Codec codec;
  const char* name;
  const char* encoder;  ///< FFmpeg's name
  AVPixelFormat format;
  const char* partial_muxer;    ///< keeps all flushed frames when its writer is killed
  const char* partial_options;  ///< of that muxer
  const char* final_muxer;      ///< null: the partial file becomes the final one as it is
  const char* extension;
  const char* tag;             ///< four characters in mp4 that players look for, or null
  const char* quality_option;  ///< name of the constant quality option, or null
  int quality;                 ///< default
  const char* preset_option;
  const char* preset;
  const char* extra;  ///< further encoder options, "key=value:key=value"
};

const CodecRow& row_of(Codec codec);

}  // namespace reelfarm::video::detail
