//! Sources that ask nobody: the environment and the vendor's file, as the vendor's SDK reads them.

use super::*;
use crate::cloud::credentials::{Found, tests::client};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

type Variables = [(&'static str, String)];

fn surroundings(variables: &Variables) -> Surroundings {
    let variables = variables.to_vec();
    let look_up = move |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.clone());
    let endpoint = |text: &str| Endpoint::https(text).unwrap();
    Surroundings {
        environment: Environment::from_fn(look_up),
        site: Site { region: "cn-north-4".into(), cce: endpoint("cce.example"), iam: endpoint("iam.example") },
        iam_is_given: false,
        sts: endpoint("sts.example"),
        metadata: NearbyEndpoint::try_from("http://127.0.0.1:1".to_owned()).unwrap(),
        aside: Arc::default(),
    }
}

fn file(content: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("huawei-credentials-{}-{number}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

/// The keys, or why there are none.
async fn keys(source: &dyn Source) -> Result<Vec<String>, String> {
    let client = client();
    match source.keys(&client).await {
        Ok(Found::Keys(given)) => Ok(given.keys().secrets().into_iter().map(str::to_owned).collect()),
        Ok(Found::Nothing(why)) => Err(why),
        Err(error) => Err(crate::cloud::chain(&error)),
    }
}

/// What the profile says of a file with that content, which is gone afterwards.
async fn profile(content: &str) -> (Result<Vec<String>, String>, Said) {
    let path = file(content);
    let surroundings = surroundings(&[("HUAWEICLOUD_SDK_CREDENTIALS_FILE", path.display().to_string())]);
    let found = keys(&Profile { file: None, surroundings: surroundings.clone() }).await;
    std::fs::remove_file(path).unwrap();
    (found, surroundings.aside.said())
}

fn listed<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn the_file_is_read_as_the_vendors_sdk_reads_it() {
    let whole = "# mine\n[global]\nak = other\n\n[basic]\nak = AK\nSK: S%%K=1\nsecurity_token=ST/+==\nproject_id = 0123abc\niam_endpoint = https://iam.my.example\n";
    let (found, said) = profile(whole).await;
    assert_eq!(found, Ok(listed(["AK", "S%K=1", "ST/+=="])));
    assert_eq!(said.project_id.as_deref(), Some("0123abc"));
    assert_eq!(said.iam.unwrap().host(), "iam.my.example");
    let (found, said) = profile("[DEFAULT]\nsk = SK\nak = shared\n[basic]\nak = AK\nsecurity_token =\n").await;
    assert_eq!(found, Ok(listed(["AK", "SK"])));
    assert!(said.project_id.is_none() && said.iam.is_none());
}

#[tokio::test]
async fn what_a_file_lacks_is_said_and_what_it_holds_is_not() {
    for (content, expected) in [
        ("[global]\nak = hunter2\n", "has no section [basic]"),
        ("[basic]\nak = hunter2\n", "has neither `ak` and `sk` nor `idp_id` and `id_token_file`"),
        ("[basic]\nidp_id = hunter2\nak = \nsk = x\n", "has neither `ak` and `sk`"),
        ("[basic]\nak = hunter2 hunter2\nsk = x\n", "`ak` is empty or has a blank"),
        ("[basic]\nak = a\nsk = hunter2%1\n", "`sk` has a single `%`; expected `%%`"),
        ("[basic]\nak = a\nsk = b\nproject_id = hunter2/..\n", "`project_id` is no project id"),
        ("[basic]\nak = a\nsk = b\niam_endpoint = http://hunter2\n", "`iam_endpoint` is no address"),
        ("[basic]\nidp_id = a\nid_token_file = /nowhere/token\nak = a\nsk = b\n", "/nowhere/token does not exist"),
        ("[basic\nhunter2", "is no ini file"),
    ] {
        let error = profile(content).await.0.unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{content}: {error}");
    }
    let nowhere = surroundings(&[("HOME", "/nowhere".to_owned())]);
    let missing = Profile { file: None, surroundings: nowhere };
    assert_eq!(keys(&missing).await.unwrap_err(), "there is no such file");
    let homeless = Profile { file: None, surroundings: surroundings(&[]) };
    assert_eq!(keys(&homeless).await.unwrap_err(), "neither HUAWEICLOUD_SDK_CREDENTIALS_FILE nor HOME is set");
}

#[tokio::test]
async fn the_configs_iam_goes_before_the_profiles() {
    let path = file("[basic]\nak = AK\nsk = SK\niam_endpoint = https://iam.my.example\n");
    let surroundings = Surroundings { iam_is_given: true, ..surroundings(&[]) };
    let profile = Profile { file: Some(path.clone()), surroundings: surroundings.clone() };
    assert_eq!(keys(&profile).await, Ok(listed(["AK", "SK"])));
    assert!(surroundings.aside.said().iam.is_none());
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn the_environment_is_read_as_the_vendors_sdk_reads_it() {
    let ak = ("HUAWEICLOUD_SDK_AK", "AK".to_owned());
    let sk = ("HUAWEICLOUD_SDK_SK", "SK\n".to_owned());
    let token = ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "ST".to_owned());
    let project = |id: &str| ("HUAWEICLOUD_SDK_PROJECT_ID", id.to_owned());
    let idp = ("HUAWEICLOUD_SDK_IDP_ID", "my-idp".to_owned());
    let id_token = ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", "/nowhere/token".to_owned());
    let read = async |variables: &Variables| {
        let surroundings = surroundings(variables);
        let found = keys(&EnvironmentKeys { surroundings: surroundings.clone() }).await;
        (found, surroundings.aside.said().project_id)
    };
    let all = [ak.clone(), sk.clone(), token, project("0123abc")];
    assert_eq!(read(&all).await, (Ok(listed(["AK", "SK", "ST"])), Some("0123abc".into())));
    assert_eq!(read(&[ak.clone(), sk.clone()]).await, (Ok(listed(["AK", "SK"])), None));
    assert_eq!(read(&[ak.clone(), sk.clone(), idp.clone()]).await.0, Ok(listed(["AK", "SK"])));
    for (variables, expected) in [
        (vec![], "HUAWEICLOUD_SDK_AK is not set"),
        (vec![ak.clone()], "HUAWEICLOUD_SDK_SK is not set"),
        (vec![ak.clone(), sk.clone(), project("a/b")], "HUAWEICLOUD_SDK_PROJECT_ID is no project id"),
        (vec![ak, sk, idp, id_token], "the file /nowhere/token does not exist"),
    ] {
        let (error, project) = read(&variables).await;
        let error = error.unwrap_err();
        assert!(error.contains(expected) && project.is_none(), "{error}");
    }
}

#[tokio::test]
async fn what_is_switched_on_by_variables_is_off_without_them() {
    let off = surroundings(&[]);
    let pod = PodIdentity { uri: None, token_file: None, environment: off.environment.clone() };
    assert_eq!(keys(&pod).await.unwrap_err(), "HC_CONTAINER_CREDENTIALS_FULL_URI is not set");
    assert_eq!(keys(&Oidc::from_variables(&off)).await.unwrap_err(), "HUAWEICLOUD_OIDC_PROVIDER_URN is not set");
    let urns = [("HUAWEICLOUD_OIDC_PROVIDER_URN", "p".to_owned()), ("HUAWEICLOUD_OIDC_AGENCY_URN", "a".to_owned())];
    let without_token = keys(&Oidc::from_variables(&surroundings(&urns))).await.unwrap_err();
    assert_eq!(without_token, "neither HUAWEICLOUD_OIDC_ID_TOKEN nor HUAWEICLOUD_OIDC_TOKEN_FILE is set");
    let [provider, agency] = urns;
    let token = ("HUAWEICLOUD_OIDC_ID_TOKEN", "hunter2".to_owned());
    let odd = [provider, agency, token, ("HUAWEICLOUD_OIDC_DURATION_SECONDS", "1h".to_owned())];
    let error = keys(&Oidc::from_variables(&surroundings(&odd))).await.unwrap_err();
    assert!(error.starts_with("HUAWEICLOUD_OIDC_DURATION_SECONDS is \"1h\"; expected seconds"), "{error}");
}
