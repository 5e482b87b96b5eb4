//! Takes the content encodings off a body while it streams in.

use std::io::{self, Write};

use brotli::DecompressorWriter;
use flate2::write::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::body::{Body, Sink};
use super::{FetchError, text_of};

/// Encodings that may lie over each other: more is an attack.
const MOST_LAYERS: usize = 3;
/// How much is decoded in one go.
const STEP: usize = 32 << 10;
/// The first bytes of a gzip member (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Decodes into a [`Sink`].
pub(super) struct Decoder {
    stage: Stage,
    most: u64,
}

enum Stage {
    Plain(Sink),
    /// Whether a body is what its label says, its first two bytes tell.
    Labelled {
        coding: Coding,
        head: Vec<u8>,
        next: Box<Stage>,
    },
    Gzip {
        decoder: Box<GzDecoder<Box<Stage>>>,
        ended: bool,
    },
    Inflate {
        state: Decompress,
        ended: bool,
        next: Box<Stage>,
    },
    Brotli(Box<DecompressorWriter<Box<Stage>>>),
    /// Stands in while a stage is exchanged.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

impl Decoder {
    /// The decoder for the Content-Encoding of `headers`. The encodings stand there in the order in
    /// which they were applied (RFC 9110, section 8.4), so that the last one is taken off first.
    pub(super) fn of(headers: &HeaderMap, sink: Sink) -> Result<Self, FetchError> {
        let named: Vec<String> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(text_of)
            .collect();
        let named = named.join(",").to_ascii_lowercase();
        let names = named
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let most = sink.most();
        let mut stage = Stage::Plain(sink);
        for (layer, name) in names.filter(|name| *name != "identity").enumerate() {
            let coding = match name {
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                _ => {
                    return Err(FetchError::Encoding(format!(
                        "{name:?} is an unknown encoding"
                    )));
                }
            };
            if layer == MOST_LAYERS {
                return Err(FetchError::Encoding(format!("more than {layer} encodings")));
            }
            stage = Stage::Labelled {
                coding,
                head: Vec::new(),
                next: Box::new(stage),
            };
        }
        Ok(Self { stage, most })
    }

    /// Takes a piece of the body as it was sent.
    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), FetchError> {
        self.stage
            .write_all(data)
            .map_err(|error| self.error(error))
    }

    /// Ends the body, which must be whole.
    pub(super) fn finish(self) -> Result<Body, FetchError> {
        let Self { stage, most } = self;
        let sink = stage.finish().map_err(|error| error_of(error, most))?;
        Ok(sink.into_body())
    }

    fn error(&self, error: io::Error) -> FetchError {
        error_of(error, self.most)
    }
}

fn error_of(error: io::Error, most: u64) -> FetchError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => FetchError::TooLarge(most),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            FetchError::Encoding(error.to_string())
        }
        _ => FetchError::Disk(error),
    }
}

impl Stage {
    /// Chooses the decoder by the label and the first bytes: servers put `gzip` on plain bodies,
    /// and mean both zlib (RFC 1950) and bare deflate by `deflate`.
    fn open(coding: Coding, head: &[u8], next: Box<Stage>) -> Self {
        let zlib = |head: &[u8]| {
            head.len() == 2
                && head[0] & 0x0f == 8
                && u16::from_be_bytes([head[0], head[1]]).is_multiple_of(31)
        };
        match coding {
            Coding::Gzip if head == GZIP => Self::Gzip {
                decoder: Box::new(GzDecoder::new(next)),
                ended: false,
            },
            Coding::Gzip => *next,
            Coding::Deflate => Self::Inflate {
                state: Decompress::new(zlib(head)),
                ended: false,
                next,
            },
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(next, STEP))),
        }
    }

    fn finish(self) -> io::Result<Sink> {
        let early = || io::Error::new(io::ErrorKind::UnexpectedEof, "the packed body ended early");
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Labelled { head, mut next, .. } => {
                next.write_all(&head)?;
                next.finish()
            }
            Self::Gzip { decoder, .. } => decoder.finish().map_err(|_| early())?.finish(),
            Self::Inflate {
                ended: true, next, ..
            } => next.finish(),
            Self::Inflate { .. } => Err(early()),
            Self::Brotli(mut decoder) => {
                decoder.close().map_err(|_| early())?;
                decoder.into_inner().map_err(|_| early())?.finish()
            }
            Self::Gone => unreachable!("a stage is exchanged within one write"),
        }
    }
}

impl Write for Stage {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => return sink.write(data),
            Self::Labelled { head, .. } if head.len() < 2 => {
                let taken = data.len().min(2 - head.len());
                head.extend_from_slice(&data[..taken]);
                if head.len() < 2 {
                    return Ok(taken);
                }
                self.begin()?;
                return Ok(taken);
            }
            Self::Labelled { .. } | Self::Gone => {}
            // Servers pad packed bodies; browsers ignore what follows the end.
            Self::Gzip { ended: true, .. } | Self::Inflate { ended: true, .. } => {}
            Self::Gzip { decoder, ended } => {
                // The end of a header, too, may be told by a write of nothing.
                let taken = match decoder.write(data)? {
                    0 => decoder.write(data)?,
                    taken => taken,
                };
                if taken == 0 && data.starts_with(&GZIP) {
                    self.begin_member()?;
                    return self.write(data);
                }
                *ended = taken == 0;
                return Ok(if *ended { data.len() } else { taken });
            }
            Self::Inflate { state, ended, next } => return inflate(state, ended, next, data),
            Self::Brotli(decoder) => return decoder.write(data),
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage {
    /// Exchanges a labelled stage for its decoder, once the first bytes are there.
    fn begin(&mut self) -> io::Result<()> {
        if let Self::Labelled { coding, head, next } = std::mem::replace(self, Self::Gone) {
            *self = Self::open(coding, &head, next);
            self.write_all(&head)?;
        }
        Ok(())
    }

    /// A gzip file may consist of several members, one behind the other (RFC 1952, section 2.2).
    fn begin_member(&mut self) -> io::Result<()> {
        if let Self::Gzip { decoder, .. } = std::mem::replace(self, Self::Gone) {
            let decoder = Box::new(GzDecoder::new(decoder.finish()?));
            *self = Self::Gzip {
                decoder,
                ended: false,
            };
        }
        Ok(())
    }
}

fn inflate(
    state: &mut Decompress,
    ended: &mut bool,
    next: &mut Stage,
    data: &[u8],
) -> io::Result<usize> {
    let mut out = vec![0; STEP];
    let mut taken = 0;
    loop {
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state
            .decompress(&data[taken..], &mut out, FlushDecompress::None)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        taken += usize::try_from(state.total_in() - before_in).unwrap_or(usize::MAX);
        let made = usize::try_from(state.total_out() - before_out).unwrap_or(usize::MAX);
        next.write_all(&out[..made])?;
        *ended = status == Status::StreamEnd;
        if *ended {
            return Ok(data.len());
        }
        if taken == data.len() && made < out.len() {
            return Ok(taken);
        }
        if made == 0 && state.total_in() == before_in {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the packed body is damaged",
            ));
        }
    }
}

#[cfg(test)]
mod tests;
