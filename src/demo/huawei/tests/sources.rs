//! The exporter's sources of keys ask the simulated cloud, and use what it hands out.

use super::*;
use crate::clock;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file that is gone with its test.
struct Scratch(PathBuf);

impl Scratch {
    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn write(&self, content: &str) {
        std::fs::write(&self.0, content).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn file(content: &str) -> Scratch {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let file = Scratch(std::env::temp_dir().join(format!("huawei-sources-{}-{number}", std::process::id())));
    file.write(content);
    file
}

type Variables<'a> = [(&'static str, &'a str)];

fn willing() -> Arc<Witness> {
    Witness::new(|_, _| None)
}

fn source(options: &Value) -> Value {
    json!({"project_id": PROJECT_ID, "credentials": options})
}

/// Lets the exporter's clock and the cloud's go on without waiting.
async fn pass_everywhere(witness: &Witness, time: Duration) {
    *witness.ahead.lock().unwrap() += SignedDuration::try_from(time).unwrap();
    pass(time).await;
}

/// Whether the account reads a job, and where keys were asked for on the way.
async fn asked(variables: &Variables<'_>, section: Value) -> (Result<(), String>, Vec<String>) {
    let witness = willing();
    let set = Set::up_in(variables, &witness, &section).await;
    let result = set.read(JOB_IDS[0]).await.map(|_| ()).map_err(|error| crate::cloud::chain(&error));
    set.down().await;
    let asked = witness.asked.lock().unwrap().iter().filter(|path| !path.contains("/jobs/")).cloned().collect();
    (result, asked)
}

const METADATA: [&str; 2] = ["/meta-data/latest/api/token", "/openstack/latest/securitykey"];
const IDP: [&str; 2] = ["/v3.0/OS-AUTH/id-token/tokens", "/v3.0/OS-CREDENTIAL/securitytokens"];
const OIDC: &str = "/v5/agencies/assume-with-oidc";
const POD: &str = "/v1/credentials";

#[tokio::test]
async fn every_source_has_keys_that_the_cloud_takes() {
    let (id_token, pod_token) = (file(ID_TOKEN), file(&format!("{POD_TOKEN}\n")));
    let profile = file(&format!("[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\nproject_id = {PROJECT_ID}\n"));
    let keys = [("HUAWEICLOUD_SDK_AK", ACCESS_KEY), ("HUAWEICLOUD_SDK_SK", SECRET_KEY)];
    let cases = [
        (source(&json!({"source": "env"})), vec![]),
        (json!({"credentials": {"source": "profile", "file": profile.path()}}), vec![]),
        (source(&json!({"source": "instance_role", "metadata_endpoint": "ENDPOINT"})), METADATA.to_vec()),
        (source(&json!({"source": "idp", "idp_id": IDP_ID, "id_token_file": id_token.path()})), IDP.to_vec()),
        (
            source(&json!({"source": "oidc", "provider_urn": PROVIDER_URN, "agency_urn": AGENCY_URN,
                "id_token_file": id_token.path(), "sts_endpoint": "ENDPOINT", "policy_ids": ["a"]})),
            vec![OIDC],
        ),
        (
            source(&json!({"source": "pod_identity", "credentials_full_uri": "ENDPOINT/v1/credentials",
                "authorization_token_file": pod_token.path()})),
            vec![POD],
        ),
        (
            source(&json!({"source": "assume_role", "agency_urn": AGENCY_URN, "sts_endpoint": "ENDPOINT",
                "duration": "15m"})),
            vec!["/v5/agencies/assume"],
        ),
        (
            source(&json!({"source": "assume_role", "agency_urn": AGENCY_URN, "sts_endpoint": "ENDPOINT",
                "from": {"source": "instance_role", "metadata_endpoint": "ENDPOINT"}})),
            vec![METADATA[0], METADATA[1], "/v5/agencies/assume"],
        ),
    ];
    for (section, expected) in cases {
        let (result, asked) = asked(&keys, section.clone()).await;
        assert_eq!((result, asked), (Ok(()), expected.iter().map(|path| (*path).to_owned()).collect()), "{section}");
    }
}

#[tokio::test]
async fn the_default_chain_has_the_vendors_order() {
    let (id_token, pod_token) = (file(ID_TOKEN), file(POD_TOKEN));
    let profile = file(&format!("[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\n"));
    let oidc = [
        ("HUAWEICLOUD_OIDC_PROVIDER_URN", PROVIDER_URN),
        ("HUAWEICLOUD_OIDC_AGENCY_URN", AGENCY_URN),
        ("HUAWEICLOUD_OIDC_TOKEN_FILE", id_token.path()),
        ("HUAWEICLOUD_SDK_STS_ENDPOINT", "ENDPOINT"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", PROJECT_ID),
    ];
    let federated = [("HUAWEICLOUD_SDK_IDP_ID", IDP_ID), ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", id_token.path())];
    let keys = [("HUAWEICLOUD_SDK_AK", ACCESS_KEY), ("HUAWEICLOUD_SDK_SK", SECRET_KEY)];
    let profile = [("HUAWEICLOUD_SDK_CREDENTIALS_FILE", profile.path())];
    let pod = [
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", "ENDPOINT/v1/credentials"),
        ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", pod_token.path()),
    ];
    // Each step takes away the first of those that are there; the project is looked up where no source names it.
    let steps: [(&Variables<'_>, &[&str]); 6] = [
        (&oidc, &[OIDC]),
        (&federated, &[IDP[0], IDP[1], "/v3/projects"]),
        (&keys, &["/v3/projects"]),
        (&profile, &["/v3/projects"]),
        (&pod, &[POD, "/v3/projects"]),
        (&[], &[METADATA[0], METADATA[1], "/v3/projects"]),
    ];
    for (begin, (_, expected)) in steps.iter().enumerate() {
        let variables: Vec<_> = steps[begin..].iter().flat_map(|(variables, _)| variables.iter().copied()).collect();
        let section = json!({"credentials": {"source": "default", "metadata_endpoint": "ENDPOINT"}});
        let (result, asked) = asked(&variables, section).await;
        assert_eq!((result, asked.iter().map(String::as_str).collect()), (Ok(()), expected.to_vec()), "step {begin}");
    }
}

#[tokio::test]
async fn without_any_credentials_every_source_says_why() {
    let section = source(&json!({"source": "default", "metadata_endpoint": "http://127.0.0.1:1"}));
    let (result, _) = asked(&[("HOME", "/nowhere")], section).await;
    let error = result.unwrap_err();
    for part in [
        "no credentials from the vendor's default sources: ",
        "the OIDC provider's token: HUAWEICLOUD_OIDC_PROVIDER_URN is not set",
        "the environment variables: HUAWEICLOUD_SDK_AK is not set",
        "the profile /nowhere/.huaweicloud/credentials: there is no such file",
        "CCE pod identity: HC_CONTAINER_CREDENTIALS_FULL_URI is not set",
        "the agency of this ECS: the metadata service 127.0.0.1:1 cannot be reached",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

fn instance_role() -> Value {
    source(&json!({"source": "instance_role", "metadata_endpoint": "ENDPOINT"}))
}

#[tokio::test]
async fn temporary_keys_are_renewed_before_they_end() {
    let witness = willing();
    let set = Set::up(&witness, &instance_role()).await;
    for minutes in 0..14 {
        for result in set.read_many().await {
            result.unwrap();
        }
        pass_everywhere(&witness, Duration::from_mins(1)).await;
        assert!(witness.count("securitykey") <= minutes + 1);
    }
    let expiries: HashSet<Timestamp> = set.notes.expiries.lock().unwrap().iter().copied().collect();
    assert!(expiries.len() >= 2, "{expiries:?}");
    set.down().await;
}

#[tokio::test]
async fn keys_that_cannot_be_renewed_are_used_to_their_end_and_not_beyond() {
    let witness = Witness::new(|asked, before| {
        (asked.path.contains("securitykey") && before >= 1).then(|| gateway::error(500, "500", "busy"))
    });
    let set = Set::up(&witness, &instance_role()).await;
    let mut reads = 0;
    while set.read(JOB_IDS[0]).await.is_ok() {
        reads += 1;
        pass_everywhere(&witness, Duration::from_mins(1)).await;
    }
    assert!((5..=10).contains(&reads), "{reads}");
    assert!(witness.count("securitykey") > 2, "renewals were tried");
    assert_eq!(witness.count("/jobs/"), reads, "no key was shown after its end");
    set.down().await;
}

#[tokio::test]
async fn refused_keys_are_replaced_once() {
    let witness = Witness::new(|asked, before| {
        let refused = asked.path.contains("/jobs/") && before == 1;
        refused.then(|| gateway::unauthorized("APIGW.0301", "decrypt token fail"))
    });
    let section = source(&json!({"source": "assume_role", "agency_urn": AGENCY_URN, "sts_endpoint": "ENDPOINT"}));
    let set = Set::up(&witness, &section).await;
    set.read(JOB_IDS[0]).await.unwrap();
    pass(SETTLED).await;
    set.read(JOB_IDS[0]).await.unwrap();
    assert_eq!((witness.count("/jobs/"), witness.count("/v5/agencies/assume")), (3, 2));
    set.down().await;
}

#[tokio::test]
async fn a_metadata_service_without_tokens_is_asked_without() {
    let witness = Witness::new(|asked, _| {
        let keys = || temporary::keys_until(clock::now() + SignedDuration::from_mins(10)).old_names();
        match asked.path.as_str() {
            "/meta-data/latest/api/token" => Some(gateway::error(405, "405", "no such thing")),
            "/openstack/latest/securitykey" => Some(Answered::json(200, &json!({"credential": keys()}))),
            _ => None,
        }
    });
    let set = Set::up(&witness, &instance_role()).await;
    set.read(JOB_IDS[0]).await.unwrap();
    set.down().await;
}

#[tokio::test]
async fn a_metadata_service_that_wants_a_new_token_gets_one_and_one_without_an_agency_says_so() {
    let stale = |asked: &Asked, before: usize| {
        (asked.path.contains("securitykey") && before == 0).then(|| gateway::error(401, "401", "Unauthorized"))
    };
    let witness = Witness::new(stale);
    let set = Set::up(&witness, &instance_role()).await;
    set.read(JOB_IDS[0]).await.unwrap();
    assert_eq!((witness.count("api/token"), witness.count("securitykey")), (2, 2));
    set.down().await;

    let witness = Witness::new(|asked, _| {
        let body = json!({"error": {"message": "Please configure Cloud Service Agency first", "code": 401}});
        asked.path.contains("securitykey").then(|| Answered::json(401, &body))
    });
    let set = Set::up(&witness, &instance_role()).await;
    let error = set.read(JOB_IDS[0]).await.unwrap_err();
    assert_eq!((error.reason(), witness.count("securitykey")), (Reason::Denied, 1));
    assert!(crate::cloud::chain(&error).contains("no agency is bound to this machine"), "{error}");
    set.down().await;
}

#[tokio::test]
async fn a_token_and_a_password_in_a_file_are_read_again_when_they_change() {
    let good = || {
        let answered = cloud(1).answer(&token_request(PASSWORD), clock::now());
        answered.headers.iter().find(|(name, _)| *name == "x-subject-token").unwrap().1.clone()
    };
    let path = file("stale-token");
    let with_token = source(&json!({"token": {"file": path.path()}}));
    let with_password = source(&json!({"user_name": USER_NAME, "domain": DOMAIN, "password": {"file": path.path()}}));
    for (section, right, refused) in [(with_token, good(), "/jobs/"), (with_password, PASSWORD.to_owned(), "tokens")] {
        path.write("stale-secret");
        let witness = willing();
        let set = Set::up(&witness, &section).await;
        set.read(JOB_IDS[0]).await.unwrap_err();
        set.read(JOB_IDS[0]).await.unwrap_err();
        assert_eq!(witness.count(refused), 1, "{section}");
        path.write(&right);
        // A password is tried again once the pause after a refusal is over.
        pass(Duration::from_mins(5)).await;
        set.read(JOB_IDS[0]).await.unwrap();
        set.down().await;
    }
}
