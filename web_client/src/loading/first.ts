/** The script that each page begins with (vite_loading.ts puts it there): small, and without what it could wait for. */
import { watchLoading } from './again';

watchLoading();
