//! The applications: small tools, where the launcher is most of the start, to large ones, where unpacking is.

use pexboot::internals::bench::App;

/// All that are known; the first five are the small ones.
pub static APPS: [App; 9] = [
    App {
        name: "cowsay",
        requirements: &["cowsay==6.1"],
        lock: Some(include_str!("locks/cowsay.txt")),
        script: "cowsay",
        args: &["-t", "hi"],
        code: None,
    },
    App {
        name: "black",
        requirements: &["black==26.10.1"],
        lock: Some(include_str!("locks/black.txt")),
        script: "black",
        args: &["--help"],
        code: None,
    },
    App {
        name: "django-admin",
        requirements: &["django==5.2.19"],
        lock: Some(include_str!("locks/django-admin.txt")),
        script: "django-admin",
        args: &["--help"],
        code: None,
    },
    App {
        name: "jupyter-nbconvert",
        requirements: &["nbconvert==7.17.2"],
        lock: Some(include_str!("locks/jupyter-nbconvert.txt")),
        script: "jupyter-nbconvert",
        args: &["--version"],
        code: None,
    },
    App {
        name: "elasticsearch-curator",
        requirements: &["elasticsearch-curator==9.0.0"],
        lock: Some(include_str!("locks/elasticsearch-curator.txt")),
        script: "curator",
        args: &["--help"],
        code: None,
    },
    App {
        name: "scikit-learn",
        requirements: &["scikit-learn==1.9.1", "pandas==3.1.1"],
        lock: Some(include_str!("locks/scikit-learn.txt")),
        script: "clusters",
        args: &[],
        code: Some(CLUSTERS),
    },
    App {
        name: "boto3",
        requirements: &["boto3==1.44.5"],
        lock: Some(include_str!("locks/boto3.txt")),
        script: "buckets",
        args: &[],
        code: Some(BUCKETS),
    },
    App {
        name: "apache-airflow",
        requirements: &["apache-airflow==3.3.2"],
        lock: Some(include_str!("locks/apache-airflow.txt")),
        script: "airflow",
        args: &["version"],
        code: None,
    },
    App {
        name: "plotly",
        requirements: &["plotly==5.24.1"],
        lock: Some(include_str!("locks/plotly.txt")),
        script: "figure",
        args: &[],
        code: Some(FIGURE),
    },
];

/// Those measured when none are named, and that the targets' geometric mean is over.
pub const SMALL: [&str; 5] = [
    "cowsay",
    "black",
    "django-admin",
    "jupyter-nbconvert",
    "elasticsearch-curator",
];

/// Counted runs of each variant, warm and cold: fewer where a round takes minutes.
pub fn rounds(app: &App) -> (usize, usize) {
    match app.name {
        name if SMALL.contains(&name) => (17, 4),
        "apache-airflow" => (4, 2),
        _ => (5, 2),
    }
}

/// The application with that name.
pub fn find(name: &str) -> Option<&'static App> {
    APPS.iter().find(|app| app.name == name)
}

/// The three of the table that XAR's README publishes.
pub const XAR: [&str; 3] = ["django-admin", "black", "jupyter-nbconvert"];

const CLUSTERS: &str = "\
import pandas
from sklearn.cluster import KMeans


def main():
    table = pandas.DataFrame({'x': [0.0, 0.1, 9.0, 9.1]})
    labels = KMeans(n_clusters=2, n_init=1, random_state=0).fit_predict(table.to_numpy())
    print(int(labels[0] == labels[1]), int(labels[0] == labels[2]))
";

const BUCKETS: &str = "\
import boto3


def main():
    client = boto3.client('s3', region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='x')
    print(client.meta.service_model.api_version)
";

const FIGURE: &str = "\
import plotly.graph_objects as go


def main():
    print(len(go.Figure(go.Bar(y=[1, 2])).to_json()))
";
