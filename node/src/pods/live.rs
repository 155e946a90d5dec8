//! The pods that are here, for those who ask about them: logs, statistics, the end of the node.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coracle_wasi_host::Container;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use crate::{
    logs::{LogPlace, LogSink},
    streaming::Terminal,
};

/// One pod that is here.
pub struct LivePod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its directory.
    pub dir: PathBuf,
    containers: Mutex<Vec<LiveContainer>>,
    /// Told when a container runs again, or never will.
    runs: Notify,
    /// The images that volumes name. After a start of the node they are held by nobody else until a container mounts them.
    volume_images: Box<[String]>,
    /// Held by who removes something of the directory: two at once would find each other's work half done.
    pub removing: Mutex<()>,
    /// The node wants the pod to end.
    end: watch::Sender<Option<EndRequest>>,
}

/// Why the node ends a pod by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndRequest {
    /// `status.reason`
    pub reason: &'static str,
    /// `status.message`
    pub message: String,
    /// What its containers have at most; its own grace period if absent.
    pub grace: Option<Duration>,
}

/// One container as others see it.
struct LiveContainer {
    name: String,
    /// As the pod names it, until a run has told its full name.
    image: String,
    /// Why it has never run, while that is so.
    waiting: Option<String>,
    /// The number of its present or last run.
    run: Option<i32>,
    handle: Option<Container>,
    terminal: Option<Arc<Terminal>>,
    sink: Option<Arc<LogSink>>,
    /// No run comes after its present or last one.
    over: bool,
}

impl LiveContainer {
    fn waiting(name: String, image: String) -> LiveContainer {
        LiveContainer { name, image, waiting: None, run: None, handle: None, terminal: None, sink: None, over: false }
    }
}

/// Why there is no log: kubelet's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLog {
    /// the pod has no such container
    #[error("container {container} is not valid for pod {pod}")]
    NoContainer {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// the container has not run yet
    #[error("container {container:?} in pod {pod:?} is waiting to start: {reason}")]
    Waiting {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
        /// Why it waits.
        reason: String,
    },
    /// there was no run before
    #[error("previous terminated container {container:?} in pod {pod:?} not found")]
    NoPrevious {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
}

impl LivePod {
    /// A pod whose containers, by name and image, wait.
    pub fn new(
        names: [String; 3],
        dir: PathBuf,
        containers: Vec<(String, String)>,
        volume_images: Box<[String]>,
    ) -> Arc<LivePod> {
        let [namespace, name, uid] = names;
        let waiting = |(name, image)| LiveContainer::waiting(name, image);
        let containers = Mutex::new(containers.into_iter().map(waiting).collect());
        let (runs, removing, end) = (Notify::new(), Mutex::default(), watch::Sender::new(None));
        Arc::new(LivePod { namespace, name, uid, dir, containers, runs, volume_images, removing, end })
    }

    /// The pod is to end: it fails for this reason. The first request counts.
    pub fn request_end(&self, request: EndRequest) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(request);
            }
            first
        });
    }

    /// Returns when the pod is to end, with the reason.
    pub async fn end_requested(&self) -> EndRequest {
        let mut requests = self.end.subscribe();
        loop {
            if let Some(request) = requests.borrow_and_update().clone() {
                return request;
            }
            if requests.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A container was added to the pod.
    pub fn add_container(&self, name: &str, image: &str) {
        self.containers.lock().push(LiveContainer::waiting(name.to_owned(), image.to_owned()));
    }

    /// A container waits for this reason.
    pub fn set_waiting(&self, container: &str, reason: &str) {
        self.with(container, |it| it.waiting = Some(reason.to_owned()));
    }

    /// A container's last run, in an earlier life of the node.
    pub fn set_past_run(&self, container: &str, run: i32) {
        self.with(container, |it| it.run = Some(run));
    }

    /// A container runs, from this image.
    pub fn set_running(&self, container: &str, image: &str, run: i32, handle: Container, sink: Arc<LogSink>) {
        self.with(container, |it| {
            image.clone_into(&mut it.image);
            it.run = Some(run);
            it.terminal = Terminal::of(&handle, sink.clone());
            it.handle = Some(handle);
            it.sink = Some(sink);
            it.over = false;
        });
        self.runs.notify_waiters();
    }

    /// A container's run is over; its log is written to the end.
    pub fn set_ended(&self, container: &str) {
        self.with(container, |it| (it.handle, it.terminal) = (None, None));
    }

    /// A container does not run again.
    pub fn set_over(&self, container: &str) {
        self.with(container, |it| it.over = true);
        self.runs.notify_waiters();
    }

    /// No container runs again.
    pub fn set_all_over(&self) {
        self.containers.lock().iter_mut().for_each(|it| it.over = true);
        self.runs.notify_waiters();
    }

    fn with(&self, container: &str, change: impl FnOnce(&mut LiveContainer)) {
        if let Some(it) = self.containers.lock().iter_mut().find(|it| it.name == container) {
            change(it);
        }
    }

    /// The images of all containers and volumes.
    pub fn images(&self) -> Vec<String> {
        let containers = self.containers.lock();
        containers.iter().map(|it| &it.image).chain(&self.volume_images).cloned().collect()
    }

    /// The handles of all containers that run, with their names.
    pub fn running(&self) -> Vec<(String, Container)> {
        let containers = self.containers.lock();
        containers.iter().filter_map(|it| Some((it.name.clone(), it.handle.clone()?))).collect()
    }

    /// The container of this name, while it runs.
    pub fn container(&self, name: &str) -> Option<Container> {
        let containers = self.containers.lock();
        containers.iter().find(|it| it.name == name).and_then(|it| it.handle.clone())
    }

    /// The terminal of the container of this name, while it runs, if it has one that can be typed at.
    pub fn terminal(&self, name: &str) -> Option<Arc<Terminal>> {
        let containers = self.containers.lock();
        containers.iter().find(|it| it.name == name).and_then(|it| it.terminal.clone())
    }

    /// Where the log of a container's next run after `run` is, once there is one; None if there won't be.
    pub async fn log_after(&self, container: &str, run: i32) -> Option<LogPlace> {
        loop {
            let changed = self.runs.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(known) = self.known_after(container, run) {
                return known;
            }
            changed.await;
        }
    }

    /// None while that is open. Runs that have come and gone meanwhile are read one after the other.
    fn known_after(&self, container: &str, run: i32) -> Option<Option<LogPlace>> {
        let containers = self.containers.lock();
        let Some(it) = containers.iter().find(|it| it.name == container) else { return Some(None) };
        let next = run + 1;
        match it.run {
            Some(present) if present >= next => {
                let sink = it.sink.clone().filter(|_| present == next);
                Some(Some(LogPlace { path: log_path(&self.dir, container, next), run: next, sink }))
            }
            _ => it.over.then_some(None),
        }
    }

    /// Where the log of a container's present run is, or of the run before.
    pub fn log(&self, container: &str, previous: bool) -> Result<LogPlace, NoLog> {
        let names = || (container.to_owned(), self.name.clone());
        let containers = self.containers.lock();
        let it = containers.iter().find(|it| it.name == container).ok_or_else(|| {
            let (container, pod) = names();
            NoLog::NoContainer { container, pod }
        })?;
        let run = if previous { it.run.map(|run| run - 1).filter(|run| *run >= 0) } else { it.run };
        match run {
            Some(run) => {
                let sink = it.sink.clone().filter(|_| !previous);
                Ok(LogPlace { path: log_path(&self.dir, container, run), run, sink })
            }
            None if previous => {
                let (container, pod) = names();
                Err(NoLog::NoPrevious { container, pod })
            }
            None => {
                let (container, pod) = names();
                let reason = it.waiting.clone().unwrap_or_else(|| "ContainerCreating".to_owned());
                Err(NoLog::Waiting { container, pod, reason })
            }
        }
    }
}

/// The log file of one run.
pub fn log_path(pod_dir: &Path, container: &str, run: i32) -> PathBuf {
    pod_dir.join(container).join(format!("{run}.log"))
}

/// All pods that are here.
#[derive(Default)]
pub struct LivePods {
    by_uid: RwLock<HashMap<String, Arc<LivePod>>>,
    /// Whether all pods of the API's first list are among them.
    complete: watch::Sender<bool>,
}

impl LivePods {
    /// Adds a pod.
    pub fn insert(&self, pod: Arc<LivePod>) {
        self.by_uid.write().insert(pod.uid.clone(), pod);
    }

    /// Removes a pod.
    pub fn remove(&self, uid: &str) -> Option<Arc<LivePod>> {
        self.by_uid.write().remove(uid)
    }

    /// All that were here when the node began have been added.
    pub fn set_complete(&self) {
        self.complete.send_replace(true);
    }

    /// Returns when they have.
    pub async fn complete(&self) {
        // The sender lives as long as this.
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_uid.read().len()
    }

    /// The pod of this UID.
    pub fn get(&self, uid: &str) -> Option<Arc<LivePod>> {
        self.by_uid.read().get(uid).cloned()
    }

    /// The pod of this name. Of two (one ending, one new) the one with this UID, if it is given.
    pub fn find(&self, namespace: &str, name: &str, uid: Option<&str>) -> Option<Arc<LivePod>> {
        let pods = self.by_uid.read();
        let mut named = pods.values().filter(|pod| pod.name == name && pod.namespace == namespace);
        match uid {
            Some(uid) => named.find(|pod| pod.uid == uid).cloned(),
            None => named.next().cloned(),
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<LivePod>> {
        self.by_uid.read().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_found_by_run() {
        let names = ["ns".to_owned(), "p".to_owned(), "u".to_owned()];
        let containers = vec![("c".to_owned(), "i:1".to_owned())];
        let pod = LivePod::new(names, "/pods/x".into(), containers, ["v:1".to_owned()].into());
        assert_eq!(pod.images(), ["i:1", "v:1"]);
        let text = |container: &str, previous| pod.log(container, previous).err().map(|error| error.to_string());
        assert_eq!(text("c", false).unwrap(), "container \"c\" in pod \"p\" is waiting to start: ContainerCreating");
        pod.set_waiting("c", "ErrImagePull");
        assert!(text("c", false).unwrap().ends_with("waiting to start: ErrImagePull"));
        assert_eq!(text("d", false).unwrap(), "container d is not valid for pod p");
        assert_eq!(text("c", true).unwrap(), "previous terminated container \"c\" in pod \"p\" not found");
        pod.set_past_run("c", 2);
        assert_eq!(pod.log("c", false).unwrap().path, Path::new("/pods/x/c/2.log"));
        assert_eq!(pod.log("c", true).unwrap().path, Path::new("/pods/x/c/1.log"));
    }

    #[tokio::test]
    async fn who_waits_for_a_further_run_hears_of_it_or_that_there_is_none() {
        let names = ["ns".to_owned(), "p".to_owned(), "u".to_owned()];
        let containers = vec![("c".to_owned(), "i:1".to_owned())];
        let pod = LivePod::new(names, "/pods/x".into(), containers, [].into());
        pod.set_past_run("c", 2);
        // One run after the other, also those that are over by now.
        assert_eq!(pod.log_after("c", 0).await.unwrap().path, Path::new("/pods/x/c/1.log"));
        assert_eq!(pod.log_after("c", 1).await.unwrap().run, 2);
        let (found, ()) = tokio::join!(pod.log_after("c", 2), async { pod.set_over("c") });
        assert!(found.is_none() && pod.log_after("d", 0).await.is_none());
        assert!(pod.log_after("c", 1).await.is_some(), "what there was can still be read");
    }
}
