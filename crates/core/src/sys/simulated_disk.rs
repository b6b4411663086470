//! A disk in memory for tests, which can lose everything that was not synced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::files::{FileError, Files, Operation, PathKind, WritableFile, WriteMode};

/// What remains of writes that were not synced after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// All of it: only the process was killed.
    Everything,
    /// None of it: the power failed before the disk wrote anything by itself.
    OnlySynced,
    /// Names, and half of the contents, as on file systems with delayed allocation.
    NamesAndHalfTheContents,
}

impl Survival {
    pub const ALL: [Self; 3] = [Self::Everything, Self::OnlySynced, Self::NamesAndHalfTheContents];
}

/// Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimulatedDisk(Arc<Mutex<Vec<Node>>>);

/// Each node has the state that processes see, and the state that was synced.
#[derive(Debug, Clone)]
enum Node {
    File { seen: Vec<u8>, synced: Vec<u8> },
    Folder { seen: Entries, synced: Entries },
}

type Entries = BTreeMap<String, usize>;

const ROOT: usize = 0;

impl Default for SimulatedDisk {
    fn default() -> Self {
        let root = Node::folder();
        Self(Arc::new(Mutex::new(vec![root])))
    }
}

impl SimulatedDisk {
    pub fn share(&self) -> Arc<dyn Files> {
        Arc::new(self.clone())
    }

    /// Loses what `survival` does not keep; files opened before must no longer be used.
    pub fn reboot(&self, survival: Survival) {
        for node in self.nodes().iter_mut() {
            match node {
                Node::File { seen, synced } => {
                    match survival {
                        Survival::Everything => {}
                        Survival::OnlySynced => seen.clone_from(synced),
                        Survival::NamesAndHalfTheContents if seen != synced => {
                            // What was synced before an append stays.
                            let kept = if seen.starts_with(synced) { synced.len() } else { 0 };
                            seen.truncate(kept + (seen.len() - kept) / 2);
                        }
                        Survival::NamesAndHalfTheContents => {}
                    }
                    synced.clone_from(seen);
                }
                Node::Folder { seen, synced } => {
                    if survival == Survival::OnlySynced {
                        seen.clone_from(synced);
                    }
                    synced.clone_from(seen);
                }
            }
        }
    }

    /// Changes one byte of a file, as a failing disk would.
    pub fn flip(&self, path: &Path, offset: usize) {
        let mut nodes = self.nodes();
        let id = find(&nodes, path).unwrap();
        let Node::File { seen, synced } = &mut nodes[id] else { panic!("not a file") };
        seen[offset] ^= 1;
        synced.clone_from(seen);
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.0.lock().unwrap()
    }
}

impl Node {
    fn folder() -> Self {
        Self::Folder { seen: Entries::new(), synced: Entries::new() }
    }
}

fn find(nodes: &[Node], path: &Path) -> Option<usize> {
    path.components().try_fold(ROOT, |at, component| match (&nodes[at], component) {
        (Node::Folder { seen, .. }, Component::Normal(name)) => {
            seen.get(name.to_str().unwrap()).copied()
        }
        (_, Component::RootDir) => Some(at),
        _ => None,
    })
}

fn entries<'a>(
    nodes: &'a mut [Node],
    operation: Operation,
    path: &Path,
) -> Result<&'a mut Entries, FileError> {
    match find(nodes, path).map(|id| &mut nodes[id]) {
        Some(Node::Folder { seen, .. }) => Ok(seen),
        _ => Err(error(operation, path, io::ErrorKind::NotFound)),
    }
}

fn error(operation: Operation, path: &Path, kind: io::ErrorKind) -> FileError {
    FileError::new(operation, path, 0, kind.into())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap()
}

impl Files for SimulatedDisk {
    fn open(&self, path: &Path, mode: WriteMode) -> Result<Box<dyn WritableFile>, FileError> {
        let mut nodes = self.nodes();
        let id = match find(&nodes, path) {
            Some(_) if mode == WriteMode::New => {
                return Err(error(Operation::Open, path, io::ErrorKind::AlreadyExists));
            }
            Some(id) => id,
            None => {
                let id = nodes.len();
                entries(&mut nodes, Operation::Open, folder_of(path))?.insert(name_of(path), id);
                nodes.push(Node::File { seen: Vec::new(), synced: Vec::new() });
                id
            }
        };
        match &mut nodes[id] {
            Node::File { seen, .. } if mode == WriteMode::Replace => seen.clear(),
            Node::File { .. } => {}
            Node::Folder { .. } => {
                return Err(error(Operation::Open, path, io::ErrorKind::IsADirectory));
            }
        }
        Ok(Box::new(SimulatedFile { disk: self.clone(), id }))
    }

    fn create_folder(&self, path: &Path) -> Result<(), FileError> {
        let mut nodes = self.nodes();
        if find(&nodes, path).is_some() {
            return Err(error(Operation::CreateFolder, path, io::ErrorKind::AlreadyExists));
        }
        let id = nodes.len();
        entries(&mut nodes, Operation::CreateFolder, folder_of(path))?.insert(name_of(path), id);
        nodes.push(Node::folder());
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> Result<(), FileError> {
        let mut nodes = self.nodes();
        match find(&nodes, path).map(|id| &mut nodes[id]) {
            Some(Node::Folder { seen, synced }) => synced.clone_from(seen),
            _ => return Err(error(Operation::Sync, path, io::ErrorKind::NotFound)),
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        let mut nodes = self.nodes();
        let id = find(&nodes, from)
            .ok_or_else(|| error(Operation::Rename, from, io::ErrorKind::NotFound))?;
        if let Some(Node::Folder { seen, .. }) = find(&nodes, to).map(|id| &nodes[id])
            && !seen.is_empty()
        {
            return Err(error(Operation::Rename, to, io::ErrorKind::DirectoryNotEmpty));
        }
        entries(&mut nodes, Operation::Rename, folder_of(to))?.insert(name_of(to), id);
        entries(&mut nodes, Operation::Rename, folder_of(from))?.remove(&name_of(from));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<(), FileError> {
        let mut nodes = self.nodes();
        entries(&mut nodes, Operation::Remove, folder_of(path))?
            .remove(&name_of(path))
            .map(drop)
            .ok_or_else(|| error(Operation::Remove, path, io::ErrorKind::NotFound))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), FileError> {
        self.remove_file(path)
    }

    fn read(&self, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
        let nodes = self.nodes();
        match find(&nodes, path).map(|id| &nodes[id]) {
            Some(Node::File { seen, .. }) if seen.len() as u64 > limit_bytes => {
                Err(FileError::TooLarge { path: path.into(), limit_bytes })
            }
            Some(Node::File { seen, .. }) => Ok(seen.clone()),
            Some(Node::Folder { .. }) => Err(FileError::NotAFile { path: path.into() }),
            None => Err(error(Operation::Read, path, io::ErrorKind::NotFound)),
        }
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError> {
        let mut nodes = self.nodes();
        Ok(entries(&mut nodes, Operation::List, folder)?.keys().cloned().collect())
    }

    fn kind(&self, path: &Path) -> Result<Option<PathKind>, FileError> {
        let nodes = self.nodes();
        Ok(find(&nodes, path).map(|id| match nodes[id] {
            Node::File { .. } => PathKind::File,
            Node::Folder { .. } => PathKind::Folder,
        }))
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    id: usize,
}

impl SimulatedFile {
    fn with(&self, change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) {
        if let Node::File { seen, synced } = &mut self.disk.nodes()[self.id] {
            change(seen, synced);
        }
    }
}

impl WritableFile for SimulatedFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.with(|seen, _| seen.extend_from_slice(bytes));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), FileError> {
        self.with(|seen, synced| synced.clone_from(seen));
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> Result<(), FileError> {
        self.with(|seen, _| seen.truncate(bytes as usize));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
