//! Imports of scripts.

use super::*;

#[track_caller]
fn module(body: &str, expected: &[&str]) {
    holds(Kind::Script, body, expected);
}

#[test]
fn static_imports_are_found() {
    module("import './a.js'", &["resource ./a.js"]);
    module("import a from \"/a.js\";", &["resource /a.js"]);
    module(
        "import a, { b as c, 'x y' as d } from '../a.js'\nimport * as e from './e.js'",
        &["resource ../a.js", "resource ./e.js"],
    );
    module(
        "import{a}from'./a.js';import b,*as c from'./b.js';",
        &["resource ./a.js", "resource ./b.js"],
    );
    module(
        "export * from './a.js';export * as b from './b.js';export { c } from './c.js';export { d };",
        &["resource ./a.js", "resource ./b.js", "resource ./c.js"],
    );
    module(
        "import /* ' */ a // './ghost.js'\nfrom './a.js' with { type: 'json' }",
        &["resource ./a.js"],
    );
    module("import from from './a.js'", &["resource ./a.js"]);
    module(
        "import 'https://a.example/b.js'",
        &["resource https://a.example/b.js"],
    );
    module("import './\\x61\\u002ejs'", &["resource ./a.js"]);
}

#[test]
fn dynamic_imports_of_a_plain_string_are_found() {
    module("if (a) { import('./a.js').then(b) }", &["resource ./a.js"]);
    module(
        "const a = () => import( /* x */ \"./a.js\" , { with: {} })",
        &["resource ./a.js"],
    );
    module(
        "import('./ghost' + b); import(`./ghost.js`); import(c)",
        &[],
    );
    module("import(import('./a.js'))", &["resource ./a.js"]);
    module(
        "`${import('./a.js')} import './ghost.js'`",
        &["resource ./a.js"],
    );
}

#[test]
fn bare_names_are_no_urls() {
    module(
        "import a from 'lib'; import 'data:text/javascript,1'; import('@x/y')",
        &[],
    );
}

#[test]
fn nothing_comes_of_comments_strings_templates_and_regular_expressions() {
    module("// import './ghost.js'\n/* import './ghost.js' */", &[]);
    module(
        "const a = \"import './ghost.js'\", b = 'import(\\'./ghost.js\\')'",
        &[],
    );
    module(
        "const a = `\nimport './ghost.js'\n`; `${`import './ghost.js'`}`",
        &[],
    );
    module(
        "const a = /import '.\\/ghost.js'/; if (b) /'/.test(import('./a.js'))",
        &["resource ./a.js"],
    );
    module(
        "const a = b / 2; import('./a.js'); c = d / 'e'",
        &["resource ./a.js"],
    );
    module("a = (b) / 2 / c; import('./a.js')", &["resource ./a.js"]);
    module("a = /[/']/g; import('./a.js')", &["resource ./a.js"]);
    module("a = {}\n/'/g; import('./ghost.js')//'", &[]);
    module(
        "function a() {}\n/'/.test(b); import('./a.js')",
        &["resource ./a.js"],
    );
    module("return /'/; import('./a.js')", &["resource ./a.js"]);
    module(
        "a.import('./ghost.js'); import.meta.url; b = { import: './ghost.js' }",
        &[],
    );
    module("a.return / 2; import('./a.js') / 3", &["resource ./a.js"]);
    module("a++ / 2; import('./a.js') / 3", &["resource ./a.js"]);
    module(
        "fetch('/ghost'); new Worker('/ghost.js'); location = '/ghost'",
        &[],
    );
    module("function a() { import './ghost.js' }", &[]);
}

#[test]
fn a_specifier_is_rewritten_within_its_quotes() {
    assert_eq!(
        rewritten(Kind::Script, "import a from './a.js';", "/it's\\</script>"),
        "import a from '/it\\'s\\\\\\x3c/script>';"
    );
}
