/** 录像保存用语：类别、封存、知情同意、删除、副本、磁盘。 */
import type { keeping as en } from '../en/keeping';

export const keeping: Readonly<Record<keyof typeof en, string>> = {
  replay_state_moved: '存于第二存放处',
  replay_state_fetching: '正在取回，{percent}%',
};
