//! Finding Pythons, by asking them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::root;

/// What a Python says of itself.
#[derive(Debug, Clone)]
pub struct Interpreter {
    pub executable: PathBuf,
    pub prefix: PathBuf,
    pub version: (u32, u32),
    pub free_threaded: bool,
    /// Nothing when it was built without a shared library.
    pub libpython: Option<PathBuf>,
}

/// Five lines: executable, prefix, version, whether it is free-threaded, libpython.
const QUESTION: &str = r#"
import os, sys, sysconfig
variable = sysconfig.get_config_var
folders = [variable("LIBDIR"), os.path.join(getattr(sys, "base_prefix", sys.prefix), "lib")]
folders += [os.path.join(f, variable("MULTIARCH")) for f in folders if f and variable("MULTIARCH")]
names = [n for n in (variable("INSTSONAME"), variable("LDLIBRARY")) if n and ".so" in n]
files = [os.path.join(f, n) for f in folders if f for n in names]
print(sys.executable)
print(sys.prefix)
print("%d.%d" % sys.version_info[:2])
print(int(bool(variable("Py_GIL_DISABLED"))))
print(next((f for f in files if os.path.exists(f)), ""))
"#;

impl Interpreter {
    /// Ask the Python at `path`, which may be a script that runs another.
    pub fn ask(path: &Path) -> Result<Self, String> {
        let output = Command::new(path).args(["-c", QUESTION]).output();
        let output = output.map_err(|error| format!("{} does not run: {error}", path.display()))?;
        if !output.status.success() {
            return Err(format!(
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        let answer = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
        let [executable, prefix, version, free_threaded, libpython] = answer.lines().collect::<Vec<_>>()[..]
            .try_into()
            .map_err(|_| format!("an odd answer: {answer}"))?;
        let (major, minor) = version
            .split_once('.')
            .ok_or_else(|| format!("an odd version: {version}"))?;
        Ok(Self {
            executable: executable.into(),
            prefix: prefix.into(),
            version: (
                major.parse().map_err(|_| version)?,
                minor.parse().map_err(|_| version)?,
            ),
            free_threaded: free_threaded != "0",
            libpython: (!libpython.is_empty()).then(|| libpython.into()),
        })
    }

    /// The Python that tests use: `PYRITE_PYTHON`, else that of `$VIRTUAL_ENV`, else that of `.venv`,
    /// else the first on the path.
    pub fn chosen() -> Self {
        let venv = |folder: PathBuf| Some(folder.join("bin/python3")).filter(|path| path.exists());
        let path = env::var_os("PYRITE_PYTHON")
            .map(PathBuf::from)
            .or_else(|| env::var_os("VIRTUAL_ENV").and_then(|folder| venv(folder.into())))
            .or_else(|| venv(root().join(".venv")))
            .unwrap_or_else(|| "python3".into());
        Self::ask(&path).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Every Python of pyenv's and of the system's that can be found: its path, and what it says.
    pub fn all() -> Vec<(PathBuf, Result<Self, String>)> {
        let mut paths = vec![PathBuf::from("/usr/bin/python3")];
        let versions = env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv/versions"));
        let folders = versions
            .and_then(|versions| std::fs::read_dir(versions).ok())
            .into_iter()
            .flatten();
        paths.extend(folders.flatten().map(|folder| folder.path().join("bin/python3")));
        paths.retain(|path| path.exists());
        paths.sort();
        paths
            .into_iter()
            .map(|path| (path.clone(), Self::ask(&path)))
            .collect()
    }

    /// Whether the library says that it serves this one, and a host can load it.
    pub fn is_served(&self) -> bool {
        self.version >= (3, 9) && !self.free_threaded && self.libpython.is_some()
    }

    /// For messages.
    pub fn name(&self) -> String {
        format!(
            "Python {}.{} ({})",
            self.version.0,
            self.version.1,
            self.executable.display()
        )
    }
}
