//! The command line of `tar`: the two forms that `kubectl cp` uses, with the flags people add to them.

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Packing or unpacking.
    pub action: Action,
    /// Where relative paths begin.
    pub directory: String,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Packs these paths to stdout.
    Create(Vec<String>),
    /// Unpacks stdin.
    Extract,
}

/// Long options that change nothing here: times and owners are never restored, and errors are always told.
const WITHOUT_EFFECT: [&str; 10] = [
    "--no-same-owner",
    "--no-same-permissions",
    "--same-permissions",
    "--preserve-permissions",
    "--touch",
    "--no-overwrite-dir",
    "--overwrite",
    "--verbose",
    "--numeric-owner",
    "--keep-directory-symlink",
];

#[derive(Default)]
struct Parser {
    create: bool,
    extract: bool,
    file: Option<String>,
    directory: Option<String>,
    paths: Vec<String>,
}

/// Reads the words behind `tar`; the error is what tar would print.
pub fn parse(words: &[String]) -> Result<Plan, String> {
    let mut parser = Parser::default();
    let mut words = words.iter().map(String::as_str);
    let mut first = true;
    while let Some(word) = words.next() {
        let bundle = std::mem::take(&mut first) && !word.starts_with('-');
        match word {
            "--" => {
                parser.paths.extend(words.by_ref().map(str::to_owned));
            }
            _ if word.starts_with("--") => parser.long(word, &mut words)?,
            _ if bundle => parser.letters(word, &mut words, true)?,
            _ if word.len() > 1 && word.starts_with('-') => parser.letters(&word[1..], &mut words, false)?,
            _ => parser.paths.push(word.to_owned()),
        }
    }
    parser.finish()
}

impl Parser {
    fn long<'w>(&mut self, word: &'w str, words: &mut impl Iterator<Item = &'w str>) -> Result<(), String> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let mut value = || {
            let value = value.or_else(|| words.next());
            value.map(str::to_owned).ok_or_else(|| format!("option '{name}' requires an argument"))
        };
        match name {
            "--create" => self.create = true,
            "--extract" | "--get" => self.extract = true,
            "--file" => self.file = Some(value()?),
            "--directory" => self.directory = Some(value()?),
            "--warning" => drop(value()?),
            _ if WITHOUT_EFFECT.contains(&name) => {}
            _ => return Err(format!("unrecognized option '{word}'")),
        }
        Ok(())
    }

    /// Letters in one word. In the old form, without a dash, their arguments are all in the words that follow.
    fn letters<'w>(
        &mut self,
        letters: &'w str,
        words: &mut impl Iterator<Item = &'w str>,
        old: bool,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            let glued = Some(rest).filter(|rest| !old && !rest.is_empty());
            let mut value = || {
                let value = glued.or_else(|| words.next());
                value.map(str::to_owned).ok_or_else(|| format!("option requires an argument -- '{letter}'"))
            };
            match letter {
                'c' => self.create = true,
                'x' => self.extract = true,
                'f' => self.file = Some(value()?),
                'C' => self.directory = Some(value()?),
                'm' | 'p' | 'o' | 'v' => continue,
                _ => return Err(format!("invalid option -- '{letter}'")),
            }
            if matches!(letter, 'f' | 'C') && glued.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Plan, String> {
        if self.file.as_deref().is_some_and(|file| file != "-") {
            return Err("archives are read from stdin and written to stdout only (-f -)".to_owned());
        }
        let action = match (self.create, self.extract) {
            (true, false) if self.paths.is_empty() => {
                return Err("Cowardly refusing to create an empty archive".to_owned());
            }
            (true, false) => Action::Create(self.paths),
            (false, true) if self.paths.is_empty() => Action::Extract,
            (false, true) => return Err("members cannot be chosen when an archive is extracted".to_owned()),
            (true, true) => return Err("You may not specify more than one '-Acdtrux' option".to_owned()),
            (false, false) => return Err("You must specify one of the '-cx' options".to_owned()),
        };
        Ok(Plan { action, directory: self.directory.unwrap_or_else(|| "/".to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Plan, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_forms_of_kubectl_cp_are_understood() {
        let create = |paths: &[&str], directory: &str| {
            let action = Action::Create(paths.iter().map(|path| (*path).to_owned()).collect());
            Ok(Plan { action, directory: directory.to_owned() })
        };
        let extract = |directory: &str| Ok(Plan { action: Action::Extract, directory: directory.to_owned() });
        assert_eq!(read("cf - /data/file"), create(&["/data/file"], "/"));
        assert_eq!(read("-cf - -C /data ."), create(&["."], "/data"));
        assert_eq!(read("-xmf - -C /data"), extract("/data"));
        assert_eq!(read("xf - --no-same-owner"), extract("/"));
        assert_eq!(read("--no-same-permissions --no-same-owner -xmf - -C /tmp"), extract("/tmp"));
        assert_eq!(read("-xf- -C/tmp"), extract("/tmp"));
        assert_eq!(read("--create --file=- --directory /a -- -x"), create(&["-x"], "/a"));
    }

    #[test]
    fn what_it_does_not_do_it_says() {
        for (line, why) in [
            ("xf archive.tar", "stdin"),
            ("czf - /a", "invalid option -- 'z'"),
            ("cxf - /a", "more than one"),
            ("cf -", "empty archive"),
            ("f -", "must specify one"),
            ("-x --to-command=rm", "unrecognized option"),
            ("xf", "requires an argument -- 'f'"),
            ("xf - member", "members"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
