//! What programs need: Dockerfiles, requirements, conda environments, pyproject files.

use super::finding::{Environment, Evidence};
use super::meaning::Framework;
use super::text::one_line;

/// Which of these files a file is, by its name.
pub fn kind(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let is_yaml = lower.ends_with(".yml") || lower.ends_with(".yaml");
    match lower.as_str() {
        "dockerfile" | "containerfile" => Some("dockerfile"),
        "pyproject.toml" | "pipfile" => Some("pyproject"),
        "setup.cfg" => Some("setup"),
        lower if lower.starts_with("dockerfile.") || lower.ends_with(".dockerfile") => {
            Some("dockerfile")
        }
        lower if lower.starts_with("requirements") && lower.ends_with(".txt") => {
            Some("requirements")
        }
        lower if is_yaml && (lower.starts_with("environment") || lower.contains("conda")) => {
            Some("conda")
        }
        _ => None,
    }
}

/// Reads one of these files, line by line: they are made of lines, and so is what is wanted of them.
pub fn read(kind: &'static str, file: &str, text: &str) -> Environment {
    let mut found = Environment {
        kind,
        file: file.to_owned(),
        frameworks: Vec::new(),
        gpu: None,
        base_image: None,
        starts: Vec::new(),
    };
    for (line, number) in text.lines().zip(1..) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let gpu = if kind == "dockerfile" { found.docker_line(line) } else { found.packages(line) };
        if gpu && found.gpu.is_none() {
            found.gpu = Some(Evidence {
                file: file.to_owned(),
                line: number,
                cell: None,
                saw: one_line(line, 100),
                means: "a GPU is asked for".into(),
            });
        }
    }
    found.frameworks.sort();
    found.frameworks.dedup();
    found
}

impl Environment {
    /// Notes what a line of a Dockerfile says, and answers whether it asks for a GPU.
    fn docker_line(&mut self, line: &str) -> bool {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word.to_uppercase().as_str() {
            "FROM" => {
                let image = rest
                    .split_whitespace()
                    .find(|word| !word.starts_with("--"))
                    .unwrap_or_default();
                self.base_image = Some(one_line(image, 200));
                let image = image.to_lowercase();
                image.contains("cuda") || image.contains("-gpu") || image.starts_with("nvcr.io/")
            }
            "CMD" | "ENTRYPOINT" => {
                let words = rest.split(|c: char| c.is_whitespace() || "[]\",'".contains(c));
                let files =
                    words.filter(|word| [".py", ".R", ".r"].iter().any(|end| word.ends_with(end)));
                self.starts.extend(files.map(|file| file.trim_start_matches("./").to_owned()));
                false
            }
            "RUN" => self.packages(rest),
            "ENV" => {
                rest.contains("NVIDIA_VISIBLE_DEVICES") || rest.contains("NVIDIA_REQUIRE_CUDA")
            }
            _ => false,
        }
    }

    /// Notes the packages that a line names, and answers whether one of them is for GPUs.
    fn packages(&mut self, line: &str) -> bool {
        let mut gpu = false;
        let words = line.split(|c: char| c.is_whitespace() || "\"',;[](){}".contains(c));
        for word in words.filter(|word| !word.is_empty()) {
            let name: String = word
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(*c))
                .collect();
            let name =
                name.rsplit("::").next().unwrap_or_default().to_lowercase().replace('_', "-");
            self.frameworks.extend(framework(&name));
            let is_build =
                (word.starts_with("torch") || word.starts_with("jax")) && word.contains("+cu");
            gpu |= is_build
                || word.starts_with("jax[cuda")
                || matches!(
                    name.as_str(),
                    "tensorflow-gpu"
                        | "keras-gpu"
                        | "tf-nightly-gpu"
                        | "cudatoolkit"
                        | "pytorch-cuda"
                        | "cudnn"
                        | "onnxruntime-gpu"
                        | "faiss-gpu"
                        | "cupy"
                        | "pytorch-gpu"
                        | "cuda-toolkit"
                        | "lightgbm-gpu"
                )
                || name.starts_with("cupy-cuda")
                || name.contains("download.pytorch.org/whl/cu");
        }
        gpu
    }
}

fn framework(package: &str) -> Option<Framework> {
    Some(match package {
        "keras" | "tf-keras" | "keras-gpu" => Framework::Keras,
        "tensorflow" | "tensorflow-gpu" | "tensorflow-cpu" | "tf-nightly" => Framework::Tensorflow,
        "torch" | "pytorch" | "torchvision" | "pytorch-lightning" | "lightning" | "fastai"
        | "pytorch-gpu" => Framework::Pytorch,
        "jax" | "jaxlib" | "flax" | "dm-haiku" | "equinox" => Framework::Jax,
        "scikit-learn" | "sklearn" => Framework::ScikitLearn,
        "xgboost" => Framework::Xgboost,
        "lightgbm" => Framework::Lightgbm,
        "catboost" => Framework::Catboost,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_seen_in_packages_and_base_images() {
        let gpu = |kind, text| read(kind, "f", text).gpu.map(|evidence| evidence.line);
        assert_eq!(gpu("requirements", "numpy\ntensorflow-gpu==1.15\n"), Some(2));
        assert_eq!(gpu("requirements", "# tensorflow-gpu\ntensorflow\n"), None);
        assert_eq!(gpu("requirements", "torch==2.1.0+cu118"), Some(1));
        assert_eq!(gpu("dockerfile", "FROM nvidia/cuda:12.1-runtime"), Some(1));
        assert_eq!(gpu("dockerfile", "FROM python:3.11\nRUN pip install torch"), None);
        assert_eq!(gpu("conda", "dependencies:\n  - pytorch-cuda=12.1\n"), Some(2));
    }

    #[test]
    fn packages_and_commands_are_read() {
        let docker = read(
            "dockerfile",
            "Dockerfile",
            "FROM a AS b\nRUN pip install -U 'keras>=2' xgboost\nCMD [\"python\", \"./src/train.py\"]\n",
        );
        assert_eq!(docker.frameworks, [Framework::Keras, Framework::Xgboost]);
        assert_eq!(docker.starts, ["src/train.py"]);
        let project = read("pyproject", "p", "dependencies = [\"scikit-learn>=1\", \"pandas\"]");
        assert_eq!(project.frameworks, [Framework::ScikitLearn]);
    }
}
