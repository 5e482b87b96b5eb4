//! Packing and unpacking beside the runtime: a blocking thread at one end of a bounded queue, a
//! stream at the other.

use std::io::{self, BufWriter, Cursor, Read, Write};
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::io::StreamReader;

use super::pack::{Packing, pack};
use super::untar::untar_zst;
use super::{ArchiveError, Contents, Limits};

const CHUNK: usize = 64 << 10;
/// Of chunks: half a MiB at most waits between the two.
const QUEUE: usize = 8;

type Chunk = io::Result<Cursor<Vec<u8>>>;

/// Where an archive goes.
#[derive(Debug, Clone)]
pub struct Unpacking {
    /// Must not exist; gone again after an error.
    pub into: PathBuf,
    /// What the archive was sealed for.
    pub label: String,
    pub limits: Limits,
    pub group: Option<u32>,
}

/// Unpacks while it reads. Dropped half-way, the thread notices and cleans up after itself.
pub async fn unpack_stream(
    mut archive: impl AsyncRead + Unpin,
    unpacking: Unpacking,
) -> Result<Contents, ArchiveError> {
    let (sender, receiver) = channel(QUEUE);
    let thread = tokio::task::spawn_blocking(move || {
        let Unpacking {
            into,
            label,
            limits,
            group,
        } = unpacking;
        let unpacked = untar_zst(
            Inlet {
                receiver,
                chunk: Cursor::default(),
            },
            &label,
            &into,
            limits,
            group,
        );
        if unpacked.is_err() {
            let _ = std::fs::remove_dir_all(&into);
        }
        unpacked
    });
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = archive.read_buf(&mut chunk).await;
        let last = !matches!(read, Ok(1..));
        let queued = if let Ok(0) = read {
            Ok(())
        } else {
            sender.send(read.map(|_| Cursor::new(chunk))).await
        };
        // A closed queue means that the thread has an error to tell.
        if last || queued.is_err() {
            break;
        }
    }
    drop(sender);
    thread
        .await
        .unwrap_or_else(|panic| Err(ArchiveError::broken("unpacking it", panic)))
}

/// The sealed archive of a folder as a stream, which fails where the packing does.
pub fn pack_stream(
    root: PathBuf,
    label: String,
    leave_out: impl Fn(&str) -> bool + Send + 'static,
) -> impl AsyncRead + Send + Unpin {
    let (sender, mut receiver) = channel::<Chunk>(QUEUE);
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(CHUNK, Outlet(sender.clone()));
        let packed = pack(
            &Packing {
                root: &root,
                label: &label,
                leave_out: &leave_out,
            },
            &mut out,
        );
        let packed = packed.map_err(io::Error::other).and_then(|()| out.flush());
        if let Err(error) = packed {
            // What is still buffered must not follow the error.
            drop(out.into_parts());
            let _ = sender.blocking_send(Err(error));
        }
    });
    StreamReader::new(futures_util::stream::poll_fn(move |context| {
        receiver.poll_recv(context)
    }))
}

struct Inlet {
    receiver: Receiver<Chunk>,
    chunk: Cursor<Vec<u8>>,
}

impl Read for Inlet {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = Read::read(&mut self.chunk, into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
    }
}

struct Outlet(Sender<Chunk>);

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.blocking_send(Ok(Cursor::new(bytes.to_vec()))) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn unpacking(into: PathBuf) -> Unpacking {
        Unpacking {
            into,
            label: "label".into(),
            limits: Limits::PACKAGE,
            group: None,
        }
    }

    #[tokio::test]
    async fn a_folder_goes_through_a_stream_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (source, into) = (folder.path().join("source"), folder.path().join("into"));
        fs::create_dir(&source).unwrap();
        let content: Vec<u8> = (0..3_000_000_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        fs::write(source.join("file"), &content).unwrap();
        let stream = pack_stream(source, "label".into(), |_| false);
        unpack_stream(stream, unpacking(into.clone()))
            .await
            .unwrap();
        assert_eq!(fs::read(into.join("file")).unwrap(), content);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (source, into) = (folder.path().join("source"), folder.path().join("into"));
        fs::create_dir(&source).unwrap();
        fs::write(source.join("file"), vec![1; 100_000]).unwrap();
        let mut bytes = Vec::new();
        pack_stream(source.clone(), "label".into(), |_| false)
            .read_to_end(&mut bytes)
            .await
            .unwrap();
        assert!(
            unpack_stream(&bytes[..bytes.len() / 2], unpacking(into.clone()))
                .await
                .is_err()
        );
        assert!(!into.exists());
        std::os::unix::fs::symlink("/etc", source.join("link")).unwrap();
        assert!(
            pack_stream(source, "label".into(), |_| false)
                .read_to_end(&mut Vec::new())
                .await
                .is_err()
        );
    }
}
