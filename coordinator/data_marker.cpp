#include "coordinator/data_marker.hpp"

#include <unistd.h>

#include <cerrno>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::coordinator {

void claim_data_folder(const queue::DataFolder& data, const std::string& farm_id) {
  if (data.owner()) data.require_owner(farm_id);
  for (const auto& folder : {data.root(), data.jobs(), data.inputs(), data.videos(), data.run(), data.logs()}) {
    artifacts::create_folders(folder);
  }
  // Written even where a marker is: it is the proof that this process can write here.
  const auto temporary = data.root() / (".farm-id-" + std::to_string(::getpid()) + ".tmp");
  try {
    artifacts::File file = artifacts::File::create(temporary);
    file.write(farm_id + "\n");
    file.sync();
    file.close();
    artifacts::rename_durably(temporary, data.marker());
  } catch (const artifacts::StorageError& error) {
    ::unlink(temporary.c_str());
    if (error.code().value() != EEXIST) throw;
  }
  data.require_owner(farm_id);
}

}  // namespace reelfarm::coordinator
