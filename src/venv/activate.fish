# Read this by `source bin/activate.fish` in fish; `deactivate` goes back.

function deactivate
    if set -q _pex_venv_old_path
        set -gx PATH $_pex_venv_old_path
        set -e _pex_venv_old_path
    end
    if set -q _pex_venv_old_pythonhome
        set -gx PYTHONHOME $_pex_venv_old_pythonhome
        set -e _pex_venv_old_pythonhome
    end
    if functions -q _pex_venv_old_prompt
        functions -e fish_prompt
        functions -c _pex_venv_old_prompt fish_prompt
        functions -e _pex_venv_old_prompt
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != keep
        functions -e deactivate
    end
end

deactivate keep

set -gx VIRTUAL_ENV @VENV@
set -gx VIRTUAL_ENV_PROMPT @PROMPT@

set -g _pex_venv_old_path $PATH
set -gx PATH $VIRTUAL_ENV/bin $PATH

if set -q PYTHONHOME
    set -g _pex_venv_old_pythonhome $PYTHONHOME
    set -e PYTHONHOME
end

if not set -q VIRTUAL_ENV_DISABLE_PROMPT; and functions -q fish_prompt
    functions -c fish_prompt _pex_venv_old_prompt
    function fish_prompt
        printf %s $VIRTUAL_ENV_PROMPT
        _pex_venv_old_prompt
    end
end
