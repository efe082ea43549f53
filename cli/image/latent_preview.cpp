#include "cli/image/latent_preview.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "pipeline/weights/errors.hpp"
#include "pipeline/weights/safetensors.hpp"

namespace reelfarm::image {
namespace {

namespace fs = std::filesystem;

constexpr int kChannels = LatentColours::kChannels;
constexpr int kTerms = kChannels + 1;
using Terms = std::array<double, kTerms>;

const weights::TensorInfo& tensor(const weights::SafetensorsFile& file, const std::string& name, weights::DType dtype,
                                  std::size_t dimensions) {
  for (const weights::TensorInfo& one : file.tensors()) {
    if (one.name != name) continue;
    const bool empty = std::any_of(one.shape.begin(), one.shape.end(), [](std::int64_t extent) { return extent < 1; });
    if (one.dtype == dtype && one.shape.size() == dimensions && !empty) return one;
    throw weights::WeightError(file.path().string() + ": '" + name + "' is of another type or shape");
  }
  throw weights::WeightError(file.path().string() + " has no '" + name + "'");
}

/// The last latent of (1, 16, L, h, w).
class LastLatent {
 public:
  LastLatent(const weights::SafetensorsFile& file, const std::string& name) {
    const weights::TensorInfo& info = tensor(file, name, weights::DType::f32, 5);
    if (info.shape[0] != 1 || info.shape[1] != kChannels) {
      throw weights::WeightError(file.path().string() + ": '" + name + "' has not 16 channels");
    }
    height = static_cast<int>(info.shape[3]);
    width = static_cast<int>(info.shape[4]);
    const std::size_t plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    const std::size_t latents = static_cast<std::size_t>(info.shape[2]);
    values_.resize(plane * kChannels);
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      const std::byte* from = info.bytes.data() + (channel * latents + latents - 1) * plane * sizeof(float);
      std::memcpy(values_.data() + channel * plane, from, plane * sizeof(float));
    }
  }

  Terms terms(int x, int y) const {
    Terms terms;
    const std::size_t plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    const std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
    for (std::size_t channel = 0; channel < kChannels; ++channel) terms[channel] = values_[channel * plane + at];
    terms[kChannels] = 1;
    return terms;
  }

  int width = 0;
  int height = 0;

 private:
  std::vector<float> values_;
};

/// The last frame of (F, H, W, 3), -1 to 1.
class LastFrame {
 public:
  explicit LastFrame(const weights::SafetensorsFile& file) {
    const weights::TensorInfo& info = tensor(file, "frames", weights::DType::u8, 4);
    if (info.shape[3] != 3) throw weights::WeightError(file.path().string() + ": 'frames' is not of three colours");
    height = static_cast<int>(info.shape[1]);
    width = static_cast<int>(info.shape[2]);
    const std::size_t bytes = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
    first_ = info.bytes.data() + (static_cast<std::size_t>(info.shape[0]) - 1) * bytes;
  }

  /// Mean over the rectangle from (x0, y0) up to (x1, y1).
  double mean(int colour, int x0, int y0, int x1, int y1) const {
    std::int64_t sum = 0;
    for (int y = y0; y < y1; ++y) {
      for (int x = x0; x < x1; ++x) sum += std::to_integer<int>(first_[(std::ptrdiff_t{y} * width + x) * 3 + colour]);
    }
    return static_cast<double>(sum) / (127.5 * (x1 - x0) * (y1 - y0)) - 1;
  }

  int width = 0;
  int height = 0;

 private:
  const std::byte* first_ = nullptr;  ///< in the mapped file
};

/// Solves A x = b for a symmetric positive definite A by Cholesky's decomposition.
Terms solve(std::array<Terms, kTerms> a, Terms b) {
  for (int column = 0; column < kTerms; ++column) {
    for (int k = 0; k < column; ++k) a[column][column] -= a[column][k] * a[column][k];
    a[column][column] = std::sqrt(a[column][column]);
    for (int row = column + 1; row < kTerms; ++row) {
      for (int k = 0; k < column; ++k) a[row][column] -= a[row][k] * a[column][k];
      a[row][column] /= a[column][column];
    }
  }
  for (int row = 0; row < kTerms; ++row) {
    for (int k = 0; k < row; ++k) b[row] -= a[row][k] * b[k];
    b[row] /= a[row][row];
  }
  for (int row = kTerms - 1; row >= 0; --row) {
    for (int k = row + 1; k < kTerms; ++k) b[row] -= a[k][row] * b[k];
    b[row] /= a[row][row];
  }
  return b;
}

std::uint8_t byte_of(double value) {
  // A NaN of a render gone wrong is black.
  return static_cast<std::uint8_t>(std::lround(127.5 * (std::clamp(std::isnan(value) ? -1.0 : value, -1.0, 1.0) + 1)));
}

}  // namespace

LatentColours published_colours() {
  constexpr double kWeights[kTerms][3] = {
      {-0.0395, -0.0331, 0.0445},  {0.0696, 0.0795, 0.0518},    {0.0135, -0.0945, -0.0282},
      {0.0108, -0.0250, -0.0765},  {-0.0209, 0.0032, 0.0224},   {-0.0804, -0.0254, -0.0639},
      {-0.0991, 0.0271, -0.0669},  {-0.0646, -0.0422, -0.0400}, {-0.0696, -0.0595, -0.0894},
      {-0.0799, -0.0208, -0.0375}, {0.1166, 0.1627, 0.0962},    {0.1165, 0.0432, 0.0407},
      {-0.2315, -0.1920, -0.1355}, {-0.0270, 0.0401, -0.0821},  {-0.0616, -0.0997, -0.0727},
      {0.0249, -0.0469, -0.1703},  {0.0259, -0.0192, -0.0761}};
  LatentColours colours;
  for (int term = 0; term < kTerms; ++term) {
    for (int colour = 0; colour < 3; ++colour) colours.weights[colour][term] = kWeights[term][colour];
  }
  return colours;
}

LatentColours fitted_colours(const fs::path& tail) {
  const weights::SafetensorsFile file(tail);
  const LastLatent latent(file, "latents");
  const LastFrame frame(file);
  if (frame.width < latent.width || frame.height < latent.height) {
    throw weights::WeightError(file.path().string() + ": its frames are smaller than its latents");
  }
  std::array<Terms, kTerms> products{};
  std::array<Terms, 3> sums{};
  for (int y = 0; y < latent.height; ++y) {
    for (int x = 0; x < latent.width; ++x) {
      const Terms terms = latent.terms(x, y);
      for (int colour = 0; colour < 3; ++colour) {
        const double value = frame.mean(colour, x * frame.width / latent.width, y * frame.height / latent.height,
                                        (x + 1) * frame.width / latent.width, (y + 1) * frame.height / latent.height);
        for (int term = 0; term < kTerms; ++term) sums[colour][term] += value * terms[term];
      }
      for (int row = 0; row < kTerms; ++row) {
        for (int column = 0; column <= row; ++column) products[row][column] += terms[row] * terms[column];
      }
    }
  }
  // A little of ridge: a picture of one colour leaves most weights open.
  const double ridge = 1e-3 * latent.width * latent.height;
  for (int row = 0; row < kTerms; ++row) products[row][row] += ridge;
  LatentColours colours;
  for (int colour = 0; colour < 3; ++colour) colours.weights[colour] = solve(products, sums[colour]);
  return colours;
}

std::optional<fs::path> kept_latents(const fs::path& steps, const std::string& task) {
  std::optional<fs::path> newest;
  fs::file_time_type time = fs::file_time_type::min();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(steps, error)) {
    const fs::path file = entry.path() / "latents.safetensors";
    const auto written = fs::last_write_time(file, error);
    if (error || (newest && written < time)) continue;
    try {
      const weights::SafetensorsFile latents(file);
      const auto of = latents.metadata().find("task");
      if (of == latents.metadata().end() || of->second != task) continue;
      newest = file;
      time = written;
    } catch (const weights::WeightError&) {
      // Damaged, or gone since: whoever renders says so.
    }
  }
  return newest;
}

video::Image picture_of(const fs::path& latents, const LatentColours& colours) {
  const weights::SafetensorsFile file(latents);
  const LastLatent latent(file, "kept");
  video::Image image(latent.width, latent.height);
  for (int y = 0; y < latent.height; ++y) {
    for (int x = 0; x < latent.width; ++x) {
      const Terms terms = latent.terms(x, y);
      for (int colour = 0; colour < 3; ++colour) {
        double value = 0;
        for (int term = 0; term < kTerms; ++term) value += colours.weights[colour][term] * terms[term];
        image.pixel(x, y)[colour] = byte_of(value);
      }
    }
  }
  return image;
}

}  // namespace reelfarm::image
