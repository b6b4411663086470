//! What the command, the benchmarks, the fuzz targets and the tests of burgeon itself need beyond the
//! public interface. Nothing here is stable: it may change or be removed in any version.

pub mod spec {
    //! Of the module `spec`.
    pub use crate::spec::edit::EditCost;
    pub use crate::spec::edit::training_flops;
    pub use crate::spec::layer::Residual;
    pub use crate::spec::name::{RUN_NAME_RULE, is_run_name};
    pub use crate::spec::optimizer::AdamWParameters;
    pub use crate::spec::pool::PoolPadding;
    pub use crate::spec::schedule::{learning_rate, mean_share};
    pub use crate::spec::study::json_schema;
    pub use crate::spec::*;
}

pub mod record {
    //! Of the module `record`.
    pub use crate::record::measures::wilson_lower_bound;
    pub use crate::record::profile::{LayerProfile, Profile};
    pub use crate::record::*;
}

pub mod gate {
    //! Of the module `gate`.
    pub use crate::gate::*;
    pub use crate::record::FloorJudgement;
    pub use crate::record::measures::wilson_lower_bound;
}

pub mod tune {
    //! Of the module `tune`.
    pub use crate::record::{Diagnosis, Ending, Finding, Inherit};
    pub use crate::tune::budget::exhausted;
    pub use crate::tune::family::{Member, base_compute, batch, layers};
    #[cfg(feature = "train")]
    pub use crate::tune::label_noise::label_floor;
    pub use crate::tune::pruning::reason_to_prune;
    pub use crate::tune::recommended::recommended_rate;
    pub use crate::tune::variety::Variety;
    pub use crate::tune::*;
}

pub mod ledger {
    //! Of the module `ledger`.
    pub use crate::ledger::log::{Appended, Ledger, Repair, read};
    pub use crate::ledger::provenance::cpu_name;
    pub use crate::ledger::replay::uninterrupted;
    pub use crate::ledger::run_folder::{RunFolder, TrialFolder};
    pub use crate::ledger::*;
    pub use crate::record::Outcome;
}

#[cfg(feature = "train")]
pub mod model {
    //! Of the module `model`.
    pub use crate::model::export::keras::{KERAS_FILE, KERAS_PY, KerasModel, to_keras};
    pub use crate::model::export::onnx::{OnnxExport, OnnxInput, to_onnx};
    pub use crate::model::export::pytorch::{MODEL_PY, PYTORCH_FILE, PyTorchModel, to_pytorch};
    pub use crate::model::graft::{Graft, GraftError, keeps_optimizer, refreshed};
    pub use crate::model::import::{ImportError, ImportReport, Reason, Taken, import_pytorch};
    pub use crate::model::model_file::ModelFileError;
    pub use crate::model::network::layer_rows;
    pub use crate::model::optimizer_record::{OptimizerRecord, OptimizerRecordError};
    pub use crate::model::preparation::Channels;
    pub use crate::model::preparation::Subject;
    pub use crate::model::quantization::{Calibration, EmulatedNetwork, QuantizedNetwork};
    pub use crate::model::read::ReadError;
    pub use crate::model::saved::SavedModel;
    pub use crate::model::saved::{BEST_FOLDER, SPEC_FILE, WEIGHTS_FILE};
    pub use crate::model::*;
    pub use crate::record::GraftReport;
    pub use crate::spec::Fit;
}

#[cfg(feature = "train")]
pub mod data {
    //! Of the module `data`.
    pub use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
    pub use crate::data::load::load;
    pub use crate::data::loaded::{Loaded, Origin};
    pub use crate::data::look::DataReport;
    pub use crate::data::mnist::Places;
    pub use crate::data::progress::Progress;
    pub use crate::data::request::{DataRequest, Download};
    pub use crate::data::sheet::contact_sheet;
    pub use crate::data::splits::{SPLIT_VERSION, SplitSizes, carve};
    pub use crate::data::*;
    pub use crate::record::{DataFinding, Split, SplitCounts};
    pub use crate::spec::{Fallback, Source};
    pub mod augment {
        //! Of the crate `burgeon_pixels`.
        pub use burgeon_pixels::{Augmentation, Augmenter, Border, ColourJitter, Elastic, Scratch};
    }
    pub mod batch {
        //! Of the module `data::batch`.
        pub use crate::data::batch::*;
    }
    pub mod fetch {
        //! Of the module `data::fetch`.
        pub use crate::data::fetch::*;
    }
    pub mod folder {
        //! Of the module `data::folder`.
        pub use crate::data::folder::*;
    }
    pub mod idx {
        //! Of the module `data::idx`.
        pub use crate::data::idx::*;
    }
    pub mod image_file {
        //! Of the module `data::picture_file` and the crates `burgeon_pixels` and `burgeon_ink`.
        pub use crate::data::picture_file::open_picture;
        pub use burgeon_ink::Invert;
        pub use burgeon_pixels::{PICTURE_SIDE_MAX, Picture, PictureError};
    }
    pub mod mnist {
        //! Of the module `data::mnist`.
        pub use crate::data::mnist::*;
    }
    pub mod synthetic {
        //! Of the module `data::synthetic`.
        pub use crate::data::synthetic::*;
    }
}

#[cfg(feature = "train")]
pub mod study {
    //! Of the module `study`.
    pub use crate::study::begin::begin_study;
    pub use crate::study::launch::{EventObserver, StudySource, describe, input_shape};
    pub use crate::study::local_trainer::{LocalTrainer, RunningTrials};
    pub use crate::study::observer::Silent;
    pub use crate::study::publish::PublishError;
    pub use crate::study::recorded_data::{OtherData, data_hash};
    pub use crate::study::run::Study;
    pub use crate::study::setup::StudySetup;
    pub use crate::study::*;
}

#[cfg(feature = "train")]
pub mod train {
    //! Of the module `train`.
    pub use crate::train::evaluate::evaluate_while;
    pub use crate::train::range::test_rates;
    pub use crate::train::state::{BestEpoch, EPOCH_PARTS, EpochPart, Position, RunningSums};
    pub use crate::train::workers::Workers;
    pub use crate::train::workers::{EnteredWorkers, WorkersError};
    pub use crate::train::*;
}

pub mod report {
    //! Of the module `report`.
    pub use crate::report::lineage::{Carried, Epoch, Lineage, LineageTrial};
    pub use crate::report::words::grouped;
    pub use crate::report::write::Written;
    pub use crate::report::*;
}

#[cfg(feature = "train")]
pub mod checkpoint {
    //! Of the module `checkpoint`.
    pub use crate::checkpoint::*;
}

pub mod notify {
    //! Of the module `notify`.
    pub use crate::notify::*;
}

#[cfg(feature = "detect")]
pub mod detect {
    //! Of the module `detect`.
    pub use crate::detect::*;
}

#[cfg(feature = "containers")]
pub mod container {
    //! The crate `burgeon_container`.
    pub use burgeon_container::*;
}

#[cfg(feature = "serve")]
pub mod serve {
    //! Of the module `serve`.
    pub use crate::serve::Loopback;
}

pub mod supervise {
    //! Of the module `supervise`.
    pub use crate::supervise::*;
}

pub mod sys {
    //! Of the module `sys`.
    pub use crate::sys::*;
}

#[cfg(feature = "train")]
pub mod kernel {
    //! Of the crate `burgeon_kernel`.
    pub use burgeon_kernel::*;
}

#[cfg(feature = "cli")]
pub mod cli {
    //! The command.
    pub use crate::cli::main;
}
