//! Unpacking: an archive from the client into the container's directories.

use std::{
    io::{self, Read, Write},
    path::{Component, Path},
};

use rustix::fs::AtFlags;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::{
    Pieces, Printer, os_text,
    place::{Place, Places, create_in, normal},
};

/// The longest record that gives the next member a long name.
const RECORD_LIMIT_BYTES: u64 = 64 * 1024;
/// How much of a file is written at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// What a record says of the member that follows it.
#[derive(Default)]
struct Names {
    path: Option<String>,
    link: Option<String>,
}

/// Unpacks into `directory`; the result is how many members could not be. Fails when there is no such directory, and when
/// the archive can't be read on.
pub fn extract(places: &Places, directory: &str, input: Pieces, errors: &mut Printer) -> io::Result<usize> {
    // The root is there, even if nothing of it is the container's.
    if !(normal("/", directory).is_empty() || places.is_directory(directory)) {
        return Err(io::Error::other(format!("{directory}: Cannot open: No such file or directory")));
    }
    let mut archive = Archive::new(input);
    let mut failures = 0;
    let mut names = Names::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    // Raw: the crate would read long names whole, however long.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        if read_names(&mut entry, &mut names)? {
            continue;
        }
        let Names { path, link } = std::mem::take(&mut names);
        let name = path.unwrap_or_else(|| String::from_utf8_lossy(&entry.path_bytes()).into_owned());
        let link = link.or_else(|| entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned()));
        if let Err(error) = unpack(places, directory, &name, link.as_deref(), &mut entry, &mut buffer) {
            if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::TimedOut) {
                return Err(error);
            }
            failures += 1;
            writeln!(errors, "tar: {name}: {}", os_text(&error))?;
        }
    }
    Ok(failures)
}

/// Takes a record that is about the next member; false: this is a member.
fn read_names<R: Read>(entry: &mut Entry<'_, R>, names: &mut Names) -> io::Result<bool> {
    let kind = entry.header().entry_type();
    if !(kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions()) {
        // Global records are about nothing that is looked at.
        return Ok(kind.is_pax_global_extensions());
    }
    let mut record = Vec::new();
    entry.take(RECORD_LIMIT_BYTES + 1).read_to_end(&mut record)?;
    if record.len() as u64 > RECORD_LIMIT_BYTES {
        return Err(io::Error::other("a member's name is too long"));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned();
    if kind.is_gnu_longname() {
        names.path = Some(text(&record));
    } else if kind.is_gnu_longlink() {
        names.link = Some(text(&record));
    } else {
        for extension in PaxExtensions::new(&record) {
            let extension = extension?;
            match extension.key_bytes() {
                b"path" => names.path = Some(text(extension.value_bytes())),
                b"linkpath" => names.link = Some(text(extension.value_bytes())),
                b"size" => return Err(io::Error::other("members of 8 GiB and more cannot be unpacked")),
                _ => {}
            }
        }
    }
    Ok(true)
}

fn unpack<R: Read>(
    places: &Places,
    directory: &str,
    name: &str,
    link: Option<&str>,
    entry: &mut Entry<'_, R>,
    buffer: &mut [u8],
) -> io::Result<()> {
    if name.split('/').any(|part| part == "..") {
        return Err(io::Error::other("Member name contains '..'"));
    }
    let place = places.find(&normal(directory, name.trim_start_matches('/')))?;
    match entry.header().entry_type() {
        EntryType::Directory => place.make_directory().map_err(|error| cannot("mkdir", &error)),
        EntryType::Regular | EntryType::Continuous => {
            let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
            // What the container is given, the node's process must be able to open.
            let file = place.made_parent().and_then(|(parent, file)| create_in(parent, &file, mode | 0o600));
            copy(entry, &mut file.map_err(|error| cannot("open", &error))?, buffer)
        }
        EntryType::Symlink => make_link(&place, link.unwrap_or_default()),
        _ => Err(io::Error::other("Members of this type are not unpacked")),
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match from.read(buffer)? {
            0 => return Ok(()),
            read => to.write_all(&buffer[..read])?,
        }
    }
}

/// A link that stays inside its directory, whoever follows it.
fn make_link(place: &Place, target: &str) -> io::Result<()> {
    let mut depth = place.depth().saturating_sub(1);
    for part in Path::new(target).components() {
        let next = match part {
            Component::ParentDir => depth.checked_sub(1),
            Component::Normal(_) => Some(depth + 1),
            Component::CurDir => Some(depth),
            Component::RootDir | Component::Prefix(_) => None,
        };
        depth = next.ok_or_else(|| io::Error::other("Links out of the directory are not unpacked"))?;
    }
    replace_by_link(place, target).map_err(|error| cannot(&format!("create symlink to ‘{target}’"), &error))
}

fn replace_by_link(place: &Place, target: &str) -> io::Result<()> {
    let (parent, name) = place.made_parent()?;
    match rustix::fs::unlinkat(&parent, &name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::symlinkat(target, parent, name)?)
}

/// In the words of GNU tar.
fn cannot(what: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!("Cannot {what}: {}", os_text(error)))
}
